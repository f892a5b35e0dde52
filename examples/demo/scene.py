"""The state to show while the demo runs: the phase, the last look, the burn rates and the events."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from demo.phases import Phase
from demo.seen import BURN, JOINED, NOTHING, Alert, Look, Move

REMEMBERED = 40  # looks whose burn rate is drawn


class Scene:
    """The state of the run.

    Attributes:
        number: index of the phase; -1 before the first.
        events: (time, line) of everything that changed.
        named: moves that were named in this phase.
        joined: True if an alert of this phase joined a burn with a move.
    """

    def __init__(self, script: Sequence[Phase], source: str, started: float) -> None:
        self.script = script
        self.source = source
        self.started = started
        self.number = -1
        self.phase_started = started
        self.look: Look = NOTHING
        self.burns: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.events: list[tuple[float, str]] = []
        self.named: set[Move] = set()
        self.joined = False

    @property
    def phase(self) -> Phase:
        return self.script[self.number]

    def begin_phase(self, now: float) -> None:
        """Begin the next phase and note it as an event."""
        self.number += 1
        self.phase_started = now
        self.named, self.joined = set(), False
        line = f"phase {self.number + 1} of {len(self.script)}: {self.phase.story}{_describe_errors(self.look)}"
        self.events.append((now, line))

    def add_look(self, look: Look) -> None:
        """Store a look, and note each change since the last one as an event."""
        before, self.look = self.look, look
        self.named |= look.moves - before.moves
        new = look.alerts - before.alerts
        self.joined |= any(alert.name == JOINED and alert.move == self.phase.move for alert in new)
        self.events += [(look.at, line) for line in list_changes(before, look)]
        for budget in look.budgets:
            self.burns[budget.promise.name].append(budget.burn or 0.0)

    def is_over(self, now: float) -> bool:
        """Return True if the phase may end; verdict.py judges what was named."""
        seconds = now - self.phase_started
        if seconds < self.phase.at_least or seconds >= self.phase.at_most:
            return seconds >= self.phase.at_most
        if self.phase.hurts:
            return self.joined
        # A ticket fires on for hours of the rules' time, because its window is that long.
        return find_severity(self.look) != "page" and (bool(self.named) or self.phase.move is None)


def _describe_errors(look: Look) -> str:
    """Describe the share of bad events at the end of the phase before."""
    shares = [f"{one.promise.name} {one.errors:.0%}" for one in look.budgets if one.errors is not None]
    return f" (bad just now: {', '.join(shares)})" if shares else ""


def list_changes(before: Look, now: Look) -> list[str]:
    """Return a line for each change."""
    return [
        *(f"moved: {move}" for move in sorted(now.moves - before.moves)),
        *(f"FIRING: {line}" for line in describe_alerts(now.alerts - before.alerts)),
        *(f"over: {line}" for line in describe_alerts(before.alerts - now.alerts)),
    ]


def describe_alerts(alerts: Iterable[Alert]) -> list[str]:
    """Return a line for each cause of the burn alerts; moves have their own lines."""
    about: dict[tuple[str, Move | None], dict[str, list[str]]] = {}
    for alert in sorted(alerts):
        if alert.name in (BURN, JOINED):
            slos = about.setdefault((alert.name.removeprefix("OtelAgentops"), alert.move), {})
            slos.setdefault(alert.get_label("slo"), []).append(alert.get_label("severity"))
    return [f"{name} of {_join_slos(slos)}" + (f", {move}" if move else "") for (name, move), slos in about.items()]


def _join_slos(severities: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{slo} ({' and '.join(sorted(set(them)))})" for slo, them in severities.items())


def find_severity(look: Look) -> str:
    """Return the highest severity of the burns: `page`, `ticket`, or nothing."""
    severities = {alert.get_label("severity") or "page" for alert in look.alerts if alert.name == BURN}
    return min(severities, default="")
