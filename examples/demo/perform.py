"""The whole run: start the stack, play the script, ask the source for its answer and compare it with the truth."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

import toolchain
from demo import phases, play, promises, screen, summary, tell, verdict
from demo.embedded import Embedded
from demo.scene import Scene
from demo.seen import JOINED, Source
from demo.summary import Summary
from demo.watch import Watch
from demo.world import World, run_world

INTERVAL = "1s"  # of scraping and of evaluating the rules


class Options(NamedTuple):
    """Options of the command line."""

    fast: bool
    keep: bool
    without_prometheus: bool
    seed: int
    rate: float
    svg: Path | None
    json: Path | None
    record: Path | None = None


def perform_demo(options: Options, console: Console, directory: Path) -> Summary:
    """Start the stack, play the script, print the summary and return it."""
    started = time.time()
    left_out = _list_omissions(options)
    console.print(f"starting the provider, the collector{'' if left_out else ', Prometheus'} and the support agent")
    for what in left_out:
        console.print(f"left out: {what}", style="yellow", soft_wrap=True)
    rules = None if left_out else promises.write_rules(directory / "rules.yaml")
    with run_world(directory, rules, options.rate, options.seed, INTERVAL, records=options.record) as running:
        picture = _Picture()
        ran, source = _play_script(running, options, console, picture.record_page)
        made = _build_summary(options, ran, source, running.traces, left_out, time.time() - started)
        _print_summary(made, options, console, picture)
        if options.keep:
            _keep_running(running, console)
    return made


def _list_omissions(options: Options) -> list[str]:
    """Return a sentence for each part that cannot be shown here."""
    if options.without_prometheus:
        return [f"as you asked, Prometheus; {_INSTEAD}"]
    try:
        toolchain.find("prometheus", make=False)  # `make demo` tried to make it
    except toolchain.UnavailableError as reason:
        return [f"Prometheus, because {reason}; {_INSTEAD}"]
    return []


_INSTEAD = "the rules of the project are not evaluated, a simple form of them is, over the collector's own endpoint"


def _play_script(
    running: World, options: Options, console: Console, watch: Callable[[Scene, Source], None]
) -> tuple[list[verdict.Ran], Source]:
    source = _choose_source(running)
    script = phases.build_script()[: 3 if options.fast else None]
    with screen.choose_screen(console) as shown:
        play.wait_for_tasks(running, source, shown)
        return play.play_script(
            running, source, Scene(script, source.name, time.time()), shown, lambda scene: watch(scene, source)
        ), source


def _choose_source(running: World) -> Source:
    made = promises.load_promises()
    return Watch(running.prometheus, made) if running.prometheus else Embedded(running.collector.scrape, made)


def _build_summary(
    options: Options, ran: list[verdict.Ran], source: Source, store: Path, left_out: list[str], seconds: float
) -> Summary:
    verdicts = verdict.judge_phases(ran, source.list_seen(ran[0].start, ran[-1].end))
    return Summary(
        ok=not any(one.wrong for one in verdicts),
        source=source.name,
        left_out=left_out,
        seed=options.seed,
        rate=options.rate,
        seconds=round(seconds, 1),
        phases=[summary.summarise_phase(one, source, store) for one in verdicts],
    )


def _print_summary(made: Summary, options: Options, console: Console, picture: _Picture) -> None:
    for style, line in tell.format_summary(made):
        console.print(Text(line, style=style), soft_wrap=True)
    if options.json:
        options.json.write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
        console.print(f"the summary as JSON: {options.json}", soft_wrap=True)
    if options.svg:
        picture.write_svg(options.svg)


class _Picture:
    """A drawing of the first page that joins a burn with a move, in the words that the rules give it."""

    def __init__(self) -> None:
        self._console = Console(record=True, width=screen.WIDTH, file=io.StringIO(), force_terminal=True)
        self._taken = False

    def record_page(self, scene: Scene, source: Source) -> None:
        pages = [
            alert
            for alert in sorted(scene.look.alerts)
            if alert.name == JOINED and alert.get_label("severity") == "page"
        ]
        if pages and not self._taken and isinstance(source, Watch) and (texts := source.read_annotations(pages[0])):
            self._console.print(screen.draw_page(pages[0], texts))
            self._taken = True

    def write_svg(self, path: Path) -> None:
        # A picture in a README must not fetch fonts from another server.
        svg = self._console.export_svg(title="a page of `make demo`, where an hour is ten seconds")
        path.write_text(_FONT.sub("", svg), encoding="utf-8")


_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def _keep_running(running: World, console: Console) -> None:
    """Print the addresses of the parts and wait for Ctrl-C."""
    console.print("\nEverything keeps running until Ctrl-C:", style="bold")
    for what, where in running.list_addresses().items():
        console.print(f"  {what:<22}{where}", soft_wrap=True)
    try:
        while True:
            running.check_servers()
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("ending every part")
