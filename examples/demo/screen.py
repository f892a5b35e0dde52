"""What the viewer sees: a picture that renews itself on a terminal, plain lines where nobody watches."""

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

from demo.scene import Scene, told
from demo.seen import BURN, JOINED, Budget, Move, Value

LINES = 9  # of what happened last
WIDTH = 118  # columns that the picture takes at most
BARS = "▁▂▃▄▅▆▇█"
STEEP = 10  # the burn rate that fills a bar of the drawing


class Screen(Protocol):
    """Where the demo is shown."""

    def show(self, scene: Scene) -> None:
        """Show it as it is now."""

    def say(self, line: str) -> None:
        """Say what is being waited for."""

    def __enter__(self) -> Screen: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def fitting(console: Console) -> Screen:
    """A picture for a terminal, lines for anything else."""
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
            self.say(f"{clock(at - scene.started)} {line}{_numbers(scene) if line.startswith('phase') else ''}")
        self._told = len(scene.happened)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: object) -> None: ...


def _numbers(scene: Scene) -> str:
    """The budgets where a phase begins."""
    known = [f"{one.promise.name} {one.errors:.0%}" for one in scene.look.budgets if one.errors is not None]
    return f" (errors until now: {', '.join(known)})" if known else ""


class Picture:
    """The live view."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def say(self, line: str) -> None:
        self._live.update(Text(line, style="dim"))

    def show(self, scene: Scene) -> None:
        self._live.update(view(scene))

    def __enter__(self) -> Picture:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


# -- the picture


def view(scene: Scene) -> RenderableType:
    """The whole picture."""
    return Group(
        Panel(_head(scene), title="which variable moved?", title_align="left", width=WIDTH, border_style=_mood(scene)),
        Panel(_budgets(scene), title="error budgets", title_align="left", width=WIDTH),
        Panel(_values(scene), title="variables", title_align="left", width=WIDTH),
        Panel(_alerts(scene), title="alerts", title_align="left", width=WIDTH, border_style=_mood(scene)),
        Panel(_happened(scene), title="what happened", title_align="left", width=WIDTH),
    )


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _mood(scene: Scene) -> str:
    return "red" if any(alert.name in (BURN, JOINED) for alert in scene.look.alerts) else "green"


def _head(scene: Scene) -> RenderableType:
    steps = Text("   ").join(_step(scene, number) for number in range(len(scene.script)))
    tasks = "?" if scene.look.tasks is None else f"{scene.look.tasks:.1f}"
    now = scene.look.at or time.time()
    right = Text(f"{clock(now - scene.started)}   {tasks} tasks/s   from {scene.source}", style="dim")
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_row(steps, right)
    grid.add_row(
        Text(scene.phase.story, style="bold"), Text(f"{clock(now - scene.phase_started)} in this phase", style="dim")
    )
    return grid


def _step(scene: Scene, number: int) -> Text:
    mark, style = ("✔", "green") if number < scene.number else ("○", "dim")
    if number == scene.number:
        mark, style = "●", "bold yellow" if scene.phase.hurts else "bold green"
    return Text(f"{mark} {scene.script[number].name}", style=style)


def _budgets(scene: Scene) -> RenderableType:
    table = _table(("promise", "left"), ("objective", "right"), ("errors", "right"), ("burn rate", "right"))
    table.add_column("", width=40)
    table.add_column("budget left", justify="right")
    for budget in scene.look.budgets:
        table.add_row(
            f"{budget.promise.name} ({budget.promise.sli})",
            f"{budget.promise.objective:.0%}",
            _share(budget.errors),
            Text("?" if budget.burn is None else f"{budget.burn:.1f}x", style=_heat(budget)),
            Text("".join(map(_bar, scene.burns[budget.promise.name])), style=_heat(budget)),
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


def _heat(budget: Budget) -> str:
    burn = budget.burn or 0
    return "bold red" if burn > 3 else "yellow" if burn > 1 else "green"


def _bar(burn: float) -> str:
    return BARS[min(len(BARS) - 1, int(burn / STEEP * len(BARS)))]


def _values(scene: Scene) -> RenderableType:
    table = _table(("variable", "left"), ("of", "left"), ("is now", "left"), ("", "left"))
    there: dict[tuple[str, str], list[Value]] = {}
    for value in scene.look.values:
        there.setdefault((value.variable, value.scope), []).append(value)
    moved = {(move.variable, move.scope): move for move in scene.look.moves}
    for where, values in sorted(there.items()):
        table.add_row(*where, _shares(values), *_moved(moved.get(where)), style="bold yellow" if where in moved else "")
    return table


def _shares(values: Sequence[Value]) -> str:
    """The value; where there are several of them at a time, with their shares."""
    if len(values) == 1:
        return values[0].value
    return ", ".join(f"{one.value} {one.share:.0%}" for one in sorted(values, key=lambda one: -one.share))


def _moved(move: Move | None) -> Sequence[str]:
    return (f"◀ moved, was {move.previous}",) if move else ("",)


def _alerts(scene: Scene) -> RenderableType:
    lines = [Text(line, style="bold red", no_wrap=True, overflow="ellipsis") for line in told(scene.look.alerts)]
    return _filled(lines or [Text("none is firing", style="dim")], 4)


def _happened(scene: Scene) -> RenderableType:
    lines = [
        Text.assemble((f"{clock(at - scene.started)}  ", "dim"), (line, _tone(line)), no_wrap=True, overflow="ellipsis")
        for at, line in scene.happened[-LINES:]
    ]
    return _filled(lines, LINES)


def _tone(line: str) -> str:
    word = line.partition(":")[0]
    return {"moved": "yellow", "FIRING": "red", "over": "green"}.get(word, "bold")


def _filled(lines: Iterable[Text], count: int) -> Group:
    """So many lines, whatever there is to say: the picture does not jump."""
    shown = list(lines)[:count]
    return Group(*shown, *(Text("") for _ in range(count - len(shown))))
