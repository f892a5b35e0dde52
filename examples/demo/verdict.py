"""Was the right variable named, and nothing beside it? What was seen is compared with what the script moved."""

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

    def began_here(self, spell: Spell) -> bool:
        return self.start <= spell.start < self.end


class Verdict(NamedTuple):
    """Everything that began in a phase, and a sentence for each error in it."""

    ran: Ran
    moves: Sequence[tuple[Move, Spell]]
    alerts: Sequence[tuple[Alert, Spell]]
    wrong: Sequence[str]


def judge(ran: Sequence[Ran], seen: Seen) -> list[Verdict]:
    """The verdict on each phase, in their order."""
    return [_judge(one, seen) for one in ran]


def _judge(ran: Ran, seen: Seen) -> Verdict:
    moves = [(move, spell) for move, spell in seen.moves if ran.began_here(spell)]
    alerts = [(alert, spell) for alert, spell in seen.alerts if ran.began_here(spell)]
    wrong = [
        *_wrong_moves(ran.phase, [move for move, _ in moves]),
        *_wrong_alerts(ran.phase, [alert for alert, _ in alerts]),
    ]
    return Verdict(ran, moves, alerts, wrong)


def _wrong_moves(phase: Phase, named: Sequence[Move]) -> Iterator[str]:
    if phase.move is not None and phase.move not in named:
        yield f"not named: {phase.move}"
    yield from (f"named, but nobody moved it: {move}" for move in named if move != phase.move)


def _wrong_alerts(phase: Phase, fired: Sequence[Alert]) -> Iterator[str]:
    burns = [alert for alert in fired if alert.name == BURN]
    blamed = sorted({alert.move for alert in fired if alert.name == JOINED and alert.move})
    if phase.hurts:
        if not burns:
            yield "answers got worse, and no budget was seen to burn"
        if phase.move not in blamed:
            yield "no alert joins the burn with what was moved"
        yield from (f"blamed, but nobody moved it: {move}" for move in blamed if move != phase.move)
    else:
        yield from (f"nothing got worse, and an alert says so: {_about(alert)}" for alert in burns)
        yield from (f"blamed for a burn that was there before: {move}" for move in blamed)


def _about(alert: Alert) -> str:
    return ", ".join(f"{key}={value}" for key, value in alert.labels)
