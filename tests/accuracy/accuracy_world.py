"""The whole path on one machine: the program, a collector with all that is generated, a Prometheus with its rules."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accuracy_arithmetic import CEILING, CLUSTER, LOOPS, REWORK, Figures, Key
from accuracy_plan import INPUT_PRICE, JUDGE_REVISIONS, OUTPUT_PRICE, PRICED, SLOW

import stack
from otel_agentops import slo
from otel_agentops.lock import fragment
from otel_agentops.lock.edit import HEAD, edit_entries
from otel_agentops.lock.model import Entry
from otel_agentops.lock.model import Key as Approved
from otel_agentops.lock.text import parse_lock
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import generate

HERE = Path(__file__).parent
SERVICE = "accuracy"
SCALE = 30  # an evaluation each 2 s; 30 days are one
TICK = 2  # seconds between two evaluations
CHUNK = 200
QUICK = "yaml:processors::batch/otel_agentops::timeout: 200ms"
OBJECTIVES: Mapping[str, tuple[str, Any]] = {
    "task_completed": ("0.9", "task_completed"),
    "abandonment": ("0.95", "abandonment"),
    "escalation": ("0.95", "escalation"),
    "user_retry": ("0.9", "user_retry"),
    "grounded": ("0.9", "grounded"),
    "judge_score": ("0.8", "judge_score"),
    "valid_output": ("0.95", "valid_output"),
    "tool_success": ("0.9", "tool_success"),
    "call_success": ("0.95", "call_success"),
    "tool_failure_cluster": ("0.9", {"use": "tool_failure_cluster", "threshold": CLUSTER}),
    "loop_free": ("0.9", {"use": "loop_free", "threshold": LOOPS}),
    "user_rework": ("0.7", {"use": "user_rework", "threshold": REWORK}),
    "cost_ceiling": ("0.8", {"use": "cost_ceiling", "threshold": CEILING}),
    "latency": ("0.5", {"use": "latency", "threshold": SLOW, "on": "model"}),
}
REVISIONS = {revision: name for name, revision in JUDGE_REVISIONS.items()}
_JUDGED = "otel_agentops_judge_revision"


def specs(directory: Path) -> list[slo.Slo]:
    directory.mkdir()
    for name, (objective, sli) in OBJECTIVES.items():
        content = {"name": name, "sli": sli, "objective": float(objective), "owner": "accuracy", "runbook": "none"}
        (directory / f"{name}.yaml").write_text(json.dumps(content))
    return slo.load(directory)


def lock_fragment() -> str:
    """One model is approved, of the two that answer; nothing else is watched."""
    key = Approved("model", "m", SERVICE, PRICED)
    entry = Entry(value=PRICED, service=SERVICE, owner="accuracy", date=datetime.date(2026, 11, 24))
    path = Path("agentops.lock")
    return fragment.render_text([parse_lock(edit_entries(HEAD, path, [(key, entry)]), path)])


class Program:
    """The application under way. done: how many tasks it has handed to the exporters."""

    def __init__(self, first: int, count: int, variables: Mapping[str, str], log: Path) -> None:
        self.done = first
        self.slow: Counter[str] = Counter()
        command = [
            Path(sys.executable).parent / "opentelemetry-instrument",
            sys.executable,
            HERE / "accuracy_program.py",
        ]
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [*map(str, command), str(first), str(count), str(CHUNK)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **variables},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if line.startswith("{"):
                self.slow.update(json.loads(line))
            else:
                self.done = int(line)

    def reaches(self, number: int) -> None:
        while self.done < number and self._process.poll() is None:
            time.sleep(0.02)
        assert self.done >= number, f"the program ended at task {self.done}"

    def wait(self) -> Counter[str]:
        """How many model calls were slow, when it has ended well."""
        assert self._process.wait() == 0
        self._reader.join()
        return self.slow

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()


class World:
    """The servers, and what they say."""

    def __init__(self, collector: stack.Collector, prometheus: stack.Prometheus, directory: Path) -> None:
        self.collector = collector
        self.prometheus = prometheus
        self._log = directory / "program.log"
        prices = directory / "prices.json"
        prices.write_text(json.dumps({"models": {PRICED: {"input": INPUT_PRICE, "output": OUTPUT_PRICE}}}))
        self._variables = {
            "OTEL_SERVICE_NAME": SERVICE,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60",  # it bridges a restart of the collector
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "anthropic,openai",  # other people's, for the coexistence tests
            "OTEL_AGENTOPS_PRICES": str(prices),
            "OTEL_AGENTOPS_STRICT": "1",
        }

    @contextmanager
    def program(self, first: int, count: int) -> Iterator[Program]:
        running = Program(first, count, self._variables, self._log)
        try:
            yield running
        finally:
            running.stop()

    def figures(self) -> Figures:
        """What Prometheus has counted since its start."""
        by = f"otel_agentops_sli_name, {_JUDGED}"
        events, bad = (
            Counter({_key(labels): round(value) for labels, value in self._sum(f"sli_{half}:increase", by)})
            for half in ("events", "bad")
        )
        cells = self._sum("truth_labels:increase", f"{by}, {', '.join(CELL)}")
        return Figures(
            events,
            bad,
            Counter({(_key(labels), *(labels[name] for name in CELL)): round(value) for labels, value in cells}),
        )

    def _sum(self, series: str, by: str) -> list[tuple[dict[str, str], float]]:
        of = f'otel_agentops:{series}{{service_name="{SERVICE}"}}'
        return self.prometheus.query(f"sum by ({by}) (sum_over_time({of}[2h]))")

    def rule(self, series: str) -> dict[Key, float]:
        """The value of a rule for each objective."""
        found = self.prometheus.query(f'otel_agentops:{series}{{service_name="{SERVICE}"}}')
        return {_key(labels): value for labels, value in found}

    def becomes(self, series: str, good: Callable[[dict[Key, float]], bool], seconds: float = 40) -> dict[Key, float]:
        """A rule as soon as it is good; the last of it where it never is."""
        end = time.monotonic() + seconds
        while not good(found := self.rule(series)) and time.monotonic() < end:
            time.sleep(1)
        return found

    def unlisted(self) -> dict[tuple[str, ...], int]:
        """Unlisted values as they are counted now."""
        metric = M.METRICS[M.UNLISTED_OBSERVATIONS].prometheus
        parts = [f"otel_agentops_change_{part}" for part in ("variable", "scope", "value")]
        found = self.prometheus.query(f'sum by ({", ".join(parts)}) ({metric}{{service_name="{SERVICE}"}})')
        return {tuple(labels[part] for part in parts): round(value) for labels, value in found}

    def values(self) -> Counter[tuple[str, ...]]:
        """Events and bad by value as the collector has counted them, but those of `latency`."""
        found: Counter[tuple[str, ...]] = Counter()
        parts = [f"otel_agentops_change_{part}" for part in ("variable", "scope", "value")]
        for half, metric in (("events", M.SLI_VALUE_EVENTS), ("bad", M.SLI_VALUE_BAD)):
            name = M.METRICS[metric].prometheus
            for sample in self.collector.scrape():
                if sample.matches(name, {"service_name": SERVICE}) and _key(sample.labels).sli != "latency":
                    value = (sample.labels[part] for part in parts)
                    found[(half, *_key(sample.labels), *value)] += round(sample.value)
        return found

    def scraped(self, at: float | None = None) -> int:
        """Model calls that Prometheus knows of, one for each task: also while the collector is away."""
        metric = M.METRICS[M.LLM_CALLS].prometheus
        found = self.prometheus.query(f'sum (last_over_time({metric}{{service_name="{SERVICE}"}}[1m]))', at)
        return round(found[0][1]) if found else 0

    def evaluated(self) -> float:
        """When the rules were evaluated last."""
        series = f'otel_agentops:sli_events:increase{{service_name="{SERVICE}"}}'
        return max(value for _, value in self.prometheus.query(f"timestamp({series})"))

    def settled(self) -> Figures:
        """The figures when they have not changed for three evaluations, and more than a batch and a scrape.

        A busy machine evaluates late: what has not been evaluated three times more is no reading yet.
        """
        figures, evaluated = self.figures(), self.evaluated()
        while True:
            time.sleep(6)
            found, now = self.figures(), self.evaluated()
            if found == figures and now >= evaluated + 3 * TICK:
                return found
            if found != figures:
                figures, evaluated = found, now


CELL = tuple(f"otel_agentops_truth_{part}" for part in ("proxy", "verdict", "sampling"))


def _key(labels: Mapping[str, str]) -> Key:
    revision = labels.get(_JUDGED, "")
    return Key(labels["otel_agentops_sli_name"], REVISIONS.get(revision, revision))


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """Everything, ready: two evaluations have seen the collector, so that whatever is born has grown from 0."""
    generate.write(generate.files(specs(directory / "slo"), SCALE), directory)
    (directory / "lock.yaml").write_text(lock_fragment(), "utf-8")
    fragments = [directory / "collector" / "otel-agentops.slo.yaml", directory / "lock.yaml"]
    rules = [directory / "prometheus" / "otel-agentops.rules.yaml"]
    with (
        stack.collector([stack.BASE, stack.OVERLAY, *fragments, QUICK], directory) as collector,
        stack.prometheus([collector.metrics.split("/")[2]], rules, directory) as prometheus,
    ):
        while not prometheus.query("count_over_time(up[1m]) > 5"):
            time.sleep(0.5)
        yield World(collector, prometheus, directory)
