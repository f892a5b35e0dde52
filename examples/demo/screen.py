"""The display: a picture that renews itself on a terminal, plain lines where nobody watches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.scene import REMEMBERED, Scene, burning, told
from demo.seen import Move, Value

LINES = 9  # of what happened last, at most
WIDTH = 118  # columns that the picture takes at most
BARS = "▁▂▃▄▅▆▇█"
HOT = 3  # the burn rate that is drawn in red
STEEP = 10  # the burn rate that fills a bar of the drawing


class Screen(Protocol):
    """A display of the demo."""

    def show(self, scene: Scene) -> None:
        """Show it as it is now."""

    def say(self, line: str) -> None:
        """Say what is being waited for."""

    def __enter__(self) -> Screen: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def fitting(console: Console) -> Screen:
    """Return a picture for a terminal, lines for anything else."""
    return Picture(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


class Lines:
    """One line for each change, and no control codes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, scene: Scene) -> None:
        for at, line in scene.happened[self._told :]:
            self.say(f"{clock(at - scene.started)} {line}")
        self._told = len(scene.happened)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None: ...


class Picture:
    """The live view."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def say(self, line: str) -> None:
        self._live.update(Text(line, style="dim"))

    def show(self, scene: Scene) -> None:
        self._live.update(view(scene, self._console.width, self._console.height))

    def __enter__(self) -> Picture:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


# -- the picture

ALERTS = 3
FRAMES = 15  # lines besides the rows of budgets, values, alerts and what happened


def view(scene: Scene, width: int, height: int) -> RenderableType:
    """Return the whole picture, for a terminal of this size."""
    width, mood = min(width, WIDTH), _MOODS[burning(scene.look)]
    room = height - FRAMES - len(scene.look.budgets) - ALERTS
    scopes = len({(value.variable, value.scope) for value in scene.look.values})
    values = max(1, min(scopes, room - 3))
    happened = max(1, min(LINES, room - values))
    parts = (
        ("which variable moved?", _head(scene), mood),
        ("error budgets", _budgets(scene, width), mood),
        ("variables", _values(scene, values), "yellow" if scene.look.moves else "none"),
        ("alerts", _alerts(scene), mood),
        ("what happened", _happened(scene, happened), "none"),
    )
    return Group(
        *(Panel(part, title=title, title_align="left", width=width, border_style=style) for title, part, style in parts)
    )


_MOODS = {"page": "red", "ticket": "yellow", "": "green"}


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _head(scene: Scene) -> RenderableType:
    steps = Text("  ").join(_step(scene, number) for number in range(len(scene.script)))
    tasks = "?" if scene.look.tasks is None else f"{scene.look.tasks:.1f}"
    now = scene.look.at or time.time()
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(steps, Text(f"{tasks} tasks/s  {clock(now - scene.started)}", style="dim"))
    grid.add_row(
        Text(scene.phase.story, style="bold"),
        Text(f"seen in {scene.source}, {clock(now - scene.phase_started)} in this phase", style="dim"),
    )
    return grid


def _step(scene: Scene, number: int) -> Text:
    mark, style = ("✔", "green") if number < scene.number else ("○", "dim")
    if number == scene.number:
        mark, style = "●", "bold yellow" if scene.phase.hurts else "bold green"
    return Text(f"{mark} {scene.script[number].name}", style=style)


def _budgets(scene: Scene, width: int) -> RenderableType:
    table = _table(("promise", "left"), ("objective", "right"), ("errors", "right"), ("burn rate", "right"))
    drawn = min(REMEMBERED, width - 78)
    if drawn > 0:
        table.add_column("", width=drawn)
    table.add_column("budget left", justify="right")
    for budget in scene.look.budgets:
        heat = _heat(budget.burn or 0)
        table.add_row(
            f"{budget.promise.name} ({budget.promise.sli})",
            f"{budget.promise.objective:.0%}",
            _share(budget.errors),
            Text("?" if budget.burn is None else f"{budget.burn:.1f}x", style=heat),
            *([_curve(list(scene.burns[budget.promise.name])[-drawn:])] if drawn > 0 else []),
            Text(_share(budget.remaining), style="red" if (budget.remaining or 0) < 0 else ""),
        )
    return table


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"


def _heat(burn: float) -> str:
    return "bold red" if burn > HOT else "yellow" if burn > 1 else "green"


def _curve(burns: Sequence[float]) -> Text:
    return Text.assemble(*((BARS[min(len(BARS) - 1, int(burn / STEEP * len(BARS)))], _heat(burn)) for burn in burns))


def _values(scene: Scene, count: int) -> RenderableType:
    """Return the values, those that moved first if there is no room for all."""
    table = _table(("variable", "left"), ("of", "left"), ("is now", "left"), ("", "left"))
    there: dict[tuple[str, str], list[Value]] = {}
    for value in scene.look.values:
        there.setdefault((value.variable, value.scope), []).append(value)
    moved = {(move.variable, move.scope): move for move in scene.look.moves}
    order = sorted(there, key=lambda where: (count < len(there) and where not in moved, where))
    for where in order[:count]:
        table.add_row(*where, *_now(there[where], moved.get(where)), style="bold yellow" if where in moved else "")
    return table


def _now(values: Sequence[Value], move: Move | None) -> tuple[str, str]:
    """The value, and the one before where it moved; where there are several at a time, their shares."""
    if len(values) > 1:
        return ", ".join(f"{one.value} {one.share:.0%}" for one in sorted(values, key=lambda one: -one.share)), ""
    (value,) = values
    return value.value, f"◀ moved, was {move.previous}" if move and move.value == value.value else ""


def _alerts(scene: Scene) -> RenderableType:
    lines = [Text(line, style="bold red", no_wrap=True, overflow="ellipsis") for line in told(scene.look.alerts)]
    return _filled(lines or [Text("none is firing", style="dim")], ALERTS)


def _happened(scene: Scene, count: int) -> RenderableType:
    lines = [
        Text.assemble((f"{clock(at - scene.started)}  ", "dim"), (line, _tone(line)), no_wrap=True, overflow="ellipsis")
        for at, line in scene.happened[-count:]
    ]
    return _filled(lines, count)


def _tone(line: str) -> str:
    word = line.partition(":")[0]
    return {"moved": "yellow", "FIRING": "red", "over": "green"}.get(word, "bold")


def _filled(lines: Iterable[Text], count: int) -> Group:
    """Return exactly so many lines, so that the picture does not jump."""
    shown = list(lines)[:count]
    return Group(*shown, *(Text("") for _ in range(count - len(shown))))
