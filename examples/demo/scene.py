"""The things to show while the demo runs: the phase, the last look, how the burn went, and what happened when."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from demo.phases import Phase
from demo.seen import BURN, JOINED, NOTHING, Alert, Look, Move

REMEMBERED = 40  # looks whose burn rate is drawn


class Scene:
    """The state of the show. number: of the phase, from 0; -1 before the first. happened: time and line."""

    def __init__(self, script: Sequence[Phase], source: str, started: float) -> None:
        self.script = script
        self.source = source
        self.started = started
        self.number = -1
        self.phase_started = started
        self.look: Look = NOTHING
        self.burns: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self.happened: list[tuple[float, str]] = []
        self.named: set[Move] = set()
        self.joined = False

    @property
    def phase(self) -> Phase:
        return self.script[self.number]

    def begin(self, now: float) -> None:
        """Begin the next phase."""
        self.number += 1
        self.phase_started = now
        self.named, self.joined = set(), False
        line = f"phase {self.number + 1} of {len(self.script)}: {self.phase.story}{_errors(self.look)}"
        self.happened.append((now, line))

    def see(self, look: Look) -> None:
        """Take a look in, and note what is other than in the last one."""
        before, self.look = self.look, look
        self.named |= look.moves - before.moves
        self.joined |= any(alert.name == JOINED for alert in look.alerts - before.alerts)
        self.happened += [(look.at, line) for line in changes(before, look)]
        for budget in look.budgets:
            self.burns[budget.promise.name].append(budget.burn or 0.0)

    def over(self, now: float) -> bool:
        """Return True if the phase has shown what it can; verdict.py judges what was named."""
        seconds = now - self.phase_started
        if seconds < self.phase.at_least or seconds >= self.phase.at_most:
            return seconds >= self.phase.at_most
        if self.phase.hurts:
            return self.joined
        # A ticket goes on for hours of the rules' time: it looks back that far.
        return burning(self.look) != "page" and (bool(self.named) or self.phase.move is None)


def _errors(look: Look) -> str:
    """The state at the end of the phase before."""
    known = [f"{one.promise.name} {one.errors:.0%}" for one in look.budgets if one.errors is not None]
    return f" (bad just now: {', '.join(known)})" if known else ""


def changes(before: Look, now: Look) -> list[str]:
    """Yield a line for each change."""
    return [
        *(f"moved: {move}" for move in sorted(now.moves - before.moves)),
        *(f"FIRING: {line}" for line in told(now.alerts - before.alerts)),
        *(f"over: {line}" for line in told(before.alerts - now.alerts)),
    ]


def told(alerts: Iterable[Alert]) -> list[str]:
    """Yield alerts of burns, one line for each reason; moves have lines of their own."""
    about: dict[tuple[str, Move | None], dict[str, list[str]]] = {}
    for alert in sorted(alerts):
        if alert.name in (BURN, JOINED):
            slos = about.setdefault((alert.name.removeprefix("OtelAgentops"), alert.move), {})
            slos.setdefault(alert.get("slo"), []).append(alert.get("severity"))
    return [f"{name} of {_slos(slos)}" + (f", {move}" if move else "") for (name, move), slos in about.items()]


def _slos(severities: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{slo} ({' and '.join(sorted(set(them)))})" for slo, them in severities.items())


def burning(look: Look) -> str:
    """Return the highest severity of the burns: `page`, `ticket`, or nothing."""
    severities = {alert.get("severity") or "page" for alert in look.alerts if alert.name == BURN}
    return min(severities, default="")
