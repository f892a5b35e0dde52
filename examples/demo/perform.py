"""The whole performance: start the stack, play the script, ask what was seen, and compare it with the truth."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

import toolchain
from demo import phases, play, promises, screen, summary, tell, verdict
from demo.embedded import Embedded
from demo.scene import Scene, burning
from demo.seen import JOINED, Source
from demo.summary import Summary
from demo.watch import Watch
from demo.world import World, world

HEIGHT = 44  # lines of the drawing
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


def perform(options: Options, console: Console, directory: Path) -> Summary:
    """Play it all. Raises what starting and watching the stack raises."""
    started = time.time()
    left_out = _left_out(options)
    console.print(f"starting the provider, the collector{'' if left_out else ', Prometheus'} and the support agent")
    for what in left_out:
        console.print(f"left out: {what}", style="yellow", soft_wrap=True)
    rules = None if left_out else promises.rules(directory / "rules.yaml")
    with world(directory, rules, options.rate, options.seed, INTERVAL) as running:
        picture = _Picture()
        ran, source = _played(running, options, console, picture.watch)
        made = _summary(options, ran, source, running.traces, left_out, time.time() - started)
        _tell(made, options, console, picture)
        if options.keep:
            _keep(running, console)
    return made


def _left_out(options: Options) -> list[str]:
    """Return what cannot be shown here, and why."""
    if options.without_prometheus:
        return [f"as you asked, Prometheus; {_INSTEAD}"]
    try:
        toolchain.find("prometheus")
    except toolchain.UnavailableError as reason:
        return [f"Prometheus, because {reason}; {_INSTEAD}"]
    return []


_INSTEAD = "the rules of the project are not evaluated, a simple form of them is, over the collector's own endpoint"


def _played(
    running: World, options: Options, console: Console, watch: Callable[[Scene], None]
) -> tuple[list[verdict.Ran], Source]:
    source = _source(running)
    script = phases.script()[: 3 if options.fast else None]
    with screen.fitting(console) as shown:
        play.wait_for_tasks(running, source, shown)
        return play.play(running, source, Scene(script, source.name, time.time()), shown, watch), source


def _source(running: World) -> Source:
    made = promises.promises()
    return Watch(running.prometheus, made) if running.prometheus else Embedded(running.collector.scrape, made)


def _summary(
    options: Options, ran: list[verdict.Ran], source: Source, store: Path, left_out: list[str], seconds: float
) -> Summary:
    verdicts = verdict.judge(ran, source.seen(ran[0].start, ran[-1].end))
    return Summary(
        ok=not any(one.wrong for one in verdicts),
        source=source.name,
        left_out=left_out,
        seed=options.seed,
        rate=options.rate,
        seconds=round(seconds, 1),
        phases=[summary.phase(one, source, store) for one in verdicts],
    )


def _tell(made: Summary, options: Options, console: Console, picture: _Picture) -> None:
    told = [Text(line, style=style) for style, line in tell.lines(made)]
    for line in told:
        console.print(line, soft_wrap=True)
    if options.json:
        options.json.write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
        console.print(f"the summary as JSON: {options.json}", soft_wrap=True)
    if options.svg:
        picture.draw(options.svg, told)


class _Picture:
    """The view at the first moment at which a page joins its burn with a move, and the summary."""

    def __init__(self) -> None:
        self._console = Console(record=True, width=screen.WIDTH, file=io.StringIO(), force_terminal=True)
        self._taken = False

    def watch(self, scene: Scene) -> None:
        if not self._taken and burning(scene.look) == "page" and any(one.name == JOINED for one in scene.look.alerts):
            self._console.print(screen.view(scene, screen.WIDTH, HEIGHT))
            self._taken = True

    def draw(self, path: Path, told: list[Text]) -> None:
        self._console.print()
        for line in told:
            self._console.print(_hanging(line))
        # Fonts come from nowhere: a picture in a README asks nobody for anything.
        path.write_text(_FONT.sub("", self._console.export_svg(title="make demo")), encoding="utf-8")


_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_INDENT = 14  # columns of the names in the summary


def _hanging(line: Text) -> RenderableType:
    """Return a line of the summary; a long one continues below its own beginning."""
    if not line.plain.startswith("  "):
        return line
    grid = Table.grid()
    grid.add_column(width=_INDENT)
    grid.add_column(overflow="fold")
    grid.add_row(*line.divide([_INDENT]))
    return grid


def _keep(running: World, console: Console) -> None:
    """Return at Ctrl-C, which here is no failure."""
    console.print("\nEverything keeps running until Ctrl-C:", style="bold")
    for what, where in running.addresses().items():
        console.print(f"  {what:<22}{where}", soft_wrap=True)
    try:
        while True:
            running.check()
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("ending every part")
