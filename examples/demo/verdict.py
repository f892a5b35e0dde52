"""The comparison of what was named with what the script moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from demo.phases import Phase
from demo.seen import BURN, JOINED, Alert, Move, Seen, Spell


class Ran(NamedTuple):
    """A phase and when it was."""

    phase: Phase
    start: float
    end: float

    def has_start_of(self, spell: Spell) -> bool:
        """Return True if the spell began in this phase."""
        return self.start <= spell.start < self.end


class Verdict(NamedTuple):
    """Everything that began in a phase, and a sentence for each error in it."""

    ran: Ran
    moves: Sequence[tuple[Move, Spell]]
    alerts: Sequence[tuple[Alert, Spell]]
    wrong: Sequence[str]


def judge_phases(ran: Sequence[Ran], seen: Seen) -> list[Verdict]:
    """Judge each phase, in their order."""
    return [_judge_phase(one, seen) for one in ran]


def _judge_phase(ran: Ran, seen: Seen) -> Verdict:
    moves = [(move, spell) for move, spell in seen.moves if ran.has_start_of(spell)]
    alerts = [(alert, spell) for alert, spell in seen.alerts if ran.has_start_of(spell)]
    wrong = [
        *_find_wrong_moves(ran.phase, [move for move, _ in moves]),
        *_find_wrong_alerts(ran.phase, [alert for alert, _ in alerts]),
    ]
    return Verdict(ran, moves, alerts, wrong)


def _find_wrong_moves(phase: Phase, named: Sequence[Move]) -> Iterator[str]:
    if phase.move is not None and phase.move not in named:
        yield f"not named: {phase.move}"
    yield from (f"named, but nobody moved it: {move}" for move in named if move != phase.move)


def _find_wrong_alerts(phase: Phase, fired: Sequence[Alert]) -> Iterator[str]:
    burns = [alert for alert in fired if alert.name == BURN]
    blamed = sorted({alert.move for alert in fired if alert.name == JOINED and alert.move})
    if phase.hurts:
        if not burns:
            yield "answers got worse, and no budget was seen to burn"
        if phase.move not in blamed:
            yield "no alert joins the burn with what was moved"
        yield from (f"blamed, but nobody moved it: {move}" for move in blamed if move != phase.move)
    else:
        yield from (f"nothing got worse, and an alert says so: {_format_labels(alert)}" for alert in burns)
        yield from (f"blamed for a burn that was there before: {move}" for move in blamed)


def _format_labels(alert: Alert) -> str:
    return ", ".join(f"{key}={value}" for key, value in alert.labels)
