"""The display: a live picture on a terminal, plain lines for anything else."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.scene import REMEMBERED, Scene, describe_alerts, find_severity
from demo.seen import Alert, Move, Value

LINES = 9  # of the last events, at most
WIDTH = 118  # columns that the picture takes at most
BARS = "▁▂▃▄▅▆▇█"
HOT = 3  # the burn rate that is drawn in red
STEEP = 10  # the burn rate that fills a bar of the drawing


class Screen(Protocol):
    """A display of the demo."""

    def show_scene(self, scene: Scene) -> None:
        """Show the scene as it is now."""

    def show_line(self, line: str) -> None:
        """Show one line, such as what the demo waits for."""

    def __enter__(self) -> Screen: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def choose_screen(console: Console) -> Screen:
    """Return a picture for a terminal, lines for anything else."""
    return Picture(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


class Lines:
    """One line for each change, and no control codes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0

    def show_line(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show_scene(self, scene: Scene) -> None:
        for at, line in scene.events[self._shown :]:
            self.show_line(f"{format_clock(at - scene.started)} {line}")
        self._shown = len(scene.events)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None: ...


class Picture:
    """The live view."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def show_line(self, line: str) -> None:
        self._live.update(Text(line, style="dim"))

    def show_scene(self, scene: Scene) -> None:
        self._live.update(draw_view(scene, self._console.width, self._console.height))

    def __enter__(self) -> Picture:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


# -- the picture

ALERTS = 3
FRAMES = 15  # lines besides the rows of budgets, values, alerts and events


def draw_view(scene: Scene, width: int, height: int) -> RenderableType:
    """Draw the whole picture for a terminal of this size."""
    width, mood = min(width, WIDTH), _MOODS[find_severity(scene.look)]
    room = height - FRAMES - len(scene.look.budgets) - ALERTS
    scopes = len({(value.variable, value.scope) for value in scene.look.values})
    values = max(1, min(scopes, room - 3))
    events = max(1, min(LINES, room - values))
    parts = (
        ("which variable moved? (an hour is ten seconds here)", _draw_head(scene), mood),
        ("error budgets", _draw_budgets(scene, width), mood),
        ("variables", _draw_values(scene, values), "yellow" if scene.look.moves else "none"),
        ("alerts", _draw_alerts(scene), mood),
        ("what happened", _draw_events(scene, events), "none"),
    )
    return Group(
        *(Panel(part, title=title, title_align="left", width=width, border_style=style) for title, part, style in parts)
    )


# What somebody who is woken reads first; the rest of the annotations are queries to paste and names of files.
_SHOWN = ("variable", "scope", "previous", "value", "share", "first_seen", "declared", "owner", "traceql")


def draw_page(alert: Alert, texts: Mapping[str, str]) -> RenderableType:
    """Draw a page as it is sent: the alert's name and the annotations of the rule."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name in _SHOWN:
        if name in texts:
            grid.add_row(name, Text(texts[name], style="yellow" if name in ("previous", "value") else ""))
    parts = (Text(texts["summary"], style="bold"), Text(texts["description"]), Text(), grid)
    title = f"{alert.get_label('severity')}: {alert.name}"
    return Panel(Group(*parts), title=title, title_align="left", width=WIDTH, border_style="red")


_MOODS = {"page": "red", "ticket": "yellow", "": "green"}


def format_clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _draw_head(scene: Scene) -> RenderableType:
    steps = Text("  ").join(_draw_step(scene, number) for number in range(len(scene.script)))
    tasks = "?" if scene.look.tasks is None else f"{scene.look.tasks:.1f}"
    now = scene.look.at or time.time()
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(steps, Text(f"{tasks} tasks/s  {format_clock(now - scene.started)}", style="dim"))
    grid.add_row(
        Text(scene.phase.story, style="bold"),
        Text(f"seen in {scene.source}, {format_clock(now - scene.phase_started)} in this phase", style="dim"),
    )
    return grid


def _draw_step(scene: Scene, number: int) -> Text:
    mark, style = ("✔", "green") if number < scene.number else ("○", "dim")
    if number == scene.number:
        mark, style = "●", "bold yellow" if scene.phase.hurts else "bold green"
    return Text(f"{mark} {scene.script[number].name}", style=style)


def _draw_budgets(scene: Scene, width: int) -> RenderableType:
    table = _make_table(("promise", "left"), ("objective", "right"), ("errors", "right"), ("burn rate", "right"))
    drawn = min(REMEMBERED, width - 78)
    if drawn > 0:
        table.add_column("", width=drawn)
    table.add_column("budget left", justify="right")
    for budget in scene.look.budgets:
        heat = _choose_heat(budget.burn or 0)
        table.add_row(
            f"{budget.promise.name} ({budget.promise.sli})",
            f"{budget.promise.objective:.0%}",
            _format_share(budget.errors),
            Text("?" if budget.burn is None else f"{budget.burn:.1f}x", style=heat),
            *([_draw_curve(list(scene.burns[budget.promise.name])[-drawn:])] if drawn > 0 else []),
            Text(_format_share(budget.remaining), style="red" if (budget.remaining or 0) < 0 else ""),
        )
    return table


def _make_table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def _format_share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"


def _choose_heat(burn: float) -> str:
    return "bold red" if burn > HOT else "yellow" if burn > 1 else "green"


def _draw_curve(burns: Sequence[float]) -> Text:
    return Text.assemble(
        *((BARS[min(len(BARS) - 1, int(burn / STEEP * len(BARS)))], _choose_heat(burn)) for burn in burns)
    )


def _draw_values(scene: Scene, count: int) -> RenderableType:
    """Draw the values; those that moved come first if there is no room for all."""
    table = _make_table(("variable", "left"), ("of", "left"), ("is now", "left"), ("", "left"))
    there: dict[tuple[str, str], list[Value]] = {}
    for value in scene.look.values:
        there.setdefault((value.variable, value.scope), []).append(value)
    moved = {(move.variable, move.scope): move for move in scene.look.moves}
    order = sorted(there, key=lambda where: (count < len(there) and where not in moved, where))
    for where in order[:count]:
        table.add_row(
            *where, *_describe_value(there[where], moved.get(where)), style="bold yellow" if where in moved else ""
        )
    return table


def _describe_value(values: Sequence[Value], move: Move | None) -> tuple[str, str]:
    """Return the value and, if it moved, the one before; shares if there are several."""
    if len(values) > 1:
        return ", ".join(f"{one.value} {one.share:.0%}" for one in sorted(values, key=lambda one: -one.share)), ""
    (value,) = values
    return value.value, f"◀ moved, was {move.previous}" if move and move.value == value.value else ""


def _draw_alerts(scene: Scene) -> RenderableType:
    lines = [
        Text(line, style="bold red", no_wrap=True, overflow="ellipsis") for line in describe_alerts(scene.look.alerts)
    ]
    return _fill_lines(lines or [Text("none is firing", style="dim")], ALERTS)


def _draw_events(scene: Scene, count: int) -> RenderableType:
    lines = [
        Text.assemble(
            (f"{format_clock(at - scene.started)}  ", "dim"),
            (line, _choose_tone(line)),
            no_wrap=True,
            overflow="ellipsis",
        )
        for at, line in scene.events[-count:]
    ]
    return _fill_lines(lines, count)


def _choose_tone(line: str) -> str:
    word = line.partition(":")[0]
    return {"moved": "yellow", "FIRING": "red", "over": "green"}.get(word, "bold")


def _fill_lines(lines: Iterable[Text], count: int) -> Group:
    """Pad to exactly `count` lines, so that the picture does not jump."""
    shown = list(lines)[:count]
    return Group(*shown, *(Text("") for _ in range(count - len(shown))))
