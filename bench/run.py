"""One table from one run: what observing a call costs, for us and for the others, in fresh processes that alternate.

make bench                                    every client (half an hour with --rounds 2 --calls 25)
make bench ARGS="--client openai"             one, with start-up and memory
make bench ARGS="--markdown --json out.json"  to paste, and the samples
make bench ARGS="--rounds 15 --only ours"     more rounds, one variant beside the run without
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry.version import __version__ as otel_version
from rich.console import Console
from rich.progress import Progress

from bench import clients, report, startup
from bench.variants import NO_CONTENT, VARIANTS
from bench.workload import WORKLOADS

Step = tuple[str, Callable[[], None]]


class Run:
    """The samples of one client. steps: what is to be done, in the order in which it is done."""

    def __init__(self, asked: argparse.Namespace, client: str) -> None:
        self.asked = asked
        self.client = client
        self.variants = [name for name in clients.variants(client) if name in asked.variants]
        self.samples: dict[str, dict[str, list[float]]] = {}
        self.emitted: dict[str, Any] = {}

    def steps(self, folder: Path) -> Iterator[Step]:
        """Round by round each variant once; a machine that gets slower meets all of them alike."""
        deep = self.asked.clients == [self.client] and self.client in WORKLOADS
        installed = [name for name in self.variants if VARIANTS[name].module is None] if deep else []
        for variant in installed:
            startup.hide_all_but(variant, folder / variant)
            yield f"start-up {variant} (warm-up)", lambda v=variant: self._start(v, folder / v, keep=False)
        for number in range(self.asked.rounds):
            for variant in self.variants:
                yield f"{self.client}: {variant}, round {number + 1}", lambda v=variant: self._times(v)
            for variant in installed:
                yield f"start-up {variant}, round {number + 1}", lambda v=variant: self._start(v, folder / v)
        for variant in self.variants if deep else ():
            yield f"memory {variant}", lambda v=variant: self._memory(v)

    def _times(self, variant: str) -> None:
        found = _worker(variant, self.client, "times", self.asked.calls)
        self.emitted[variant] = found["emitted"]
        for name, times in found["times"].items():
            self._add(name, variant, times[self.asked.clock])

    def _start(self, variant: str, folder: Path, keep: bool = True) -> None:
        taken = startup.start(self.client, variant, folder)
        if keep:
            self._add(report.START_UP, variant, taken[self.asked.clock])

    def _memory(self, variant: str) -> None:
        if self.asked.memory_calls:
            found = _worker(variant, self.client, "memory", self.asked.memory_calls)
            self._add(report.MEMORY, variant, found["memory"] * 10_000 / self.asked.memory_calls)

    def _add(self, row: str, variant: str, value: float) -> None:
        self.samples.setdefault(row, {}).setdefault(variant, []).append(value)

    def lines(self, variants: list[str]) -> list[list[str]]:
        """Return the rows of this client's part of the table."""
        found = report.rows(self.samples, variants) + report.emitted_rows(self.emitted, variants)
        return (
            found if self.asked.clients == [self.client] else [[f"{self.client} {row[0]}", *row[1:]] for row in found]
        )


def _worker(variant: str, client: str, what: str, calls: int) -> Any:
    command = [sys.executable, "-m", "bench.worker", variant, client, what, str(calls)]
    done = subprocess.run(command, env={**os.environ, **NO_CONTENT}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def machine(names: list[str], variants: list[str]) -> str:
    """Return date, machine and versions of the run."""
    versions = [f"Python {platform.python_version()}", f"OpenTelemetry {otel_version}"]
    for name in names:
        versions += clients.versions(name, variants)
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {where}; {', '.join(dict.fromkeys(versions))}."


LEGEND = (
    "none: what a call takes without instrumentation; floor: the OpenTelemetry SDK alone, a span of 26 attributes and "
    "three measurements; the others: what they add to none, the median over rounds, "
    "± half of the middle half's width, then as a part of what official adds; "
    "the last column sets ours against its goals. sends: spans / attributes of each, measurements and events a call."
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="how often every variant is measured (5; of all clients 3)")
    parser.add_argument("--calls", type=int, default=60, help="calls in each of ten batches (60)")
    parser.add_argument("--memory-calls", type=int, default=10_000, help="calls for memory, 0 to leave it out (10000)")
    parser.add_argument("--only", default=",".join(VARIANTS), help="variants, by comma; `none` is always measured")
    parser.add_argument("--client", choices=("all", *clients.NAMES), default="all", help="which client (all)")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu", help="cpu: steadier on a busy machine")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all samples as JSON")
    asked = parser.parse_args()
    wanted = {name.strip() for name in asked.only.split(",")}
    if unknown := wanted - set(VARIANTS):
        parser.error(f"--only names {', '.join(sorted(unknown))}; known are {', '.join(VARIANTS)}")
    asked.variants = [name for name in VARIANTS if name == "none" or name in wanted]
    asked.clients = (
        [name for name in clients.NAMES if clients.is_installed(name)] if asked.client == "all" else [asked.client]
    )
    asked.rounds = asked.rounds or (3 if asked.client == "all" else 5)
    return asked


def main() -> None:
    asked = arguments()
    runs = [Run(asked, name) for name in asked.clients]
    with tempfile.TemporaryDirectory() as folder, Progress(console=Console(stderr=True), transient=True) as progress:
        steps = [step for run in runs for step in run.steps(Path(folder))]
        task = progress.add_task("", total=len(steps))
        for title, step in steps:
            progress.update(task, description=title)
            step()
            progress.advance(task)
    about = f"{machine(asked.clients, asked.variants)} {asked.rounds} rounds. {LEGEND}"
    titles = report.header(asked.variants, asked.clock)
    lines = [line for run in runs for line in run.lines(asked.variants)]
    if asked.markdown:
        print(report.as_markdown(titles, lines, about))
    else:
        console = Console()
        console.width = max(console.width, 160)  # a narrow terminal wraps; a table with cut numbers is no use
        console.print(report.as_table(titles, lines, about))
    if asked.json:
        found = {run.client: {"samples": run.samples, "emitted": run.emitted} for run in runs}
        asked.json.write_text(json.dumps({"about": about, "clients": found}, indent=1))


if __name__ == "__main__":
    main()
