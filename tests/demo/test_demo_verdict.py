"""The demo fails where the wrong variable is named, none is, or anything beside the right one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from demo import phases
from demo.phases import Phase, reverse_move
from demo.seen import BURN, JOINED, Alert, Move, Seen, Spell, join_spells
from demo.verdict import Ran, judge_phases

MODEL = Move("model", "gpt-x", "gpt-x-2", "gpt-x-1")
PROMPT = Move("prompt", "support/system", "bbbb", "aaaa")
BURNS = Alert.from_labels({"alertname": BURN, "slo": "answers", "service_name": "s"})

HEALTHY = Ran(Phase("healthy", "", None, None, False, 0, 0), 0, 20)
HURT = Ran(Phase("model", "", None, MODEL, True, 0, 0), 20, 40)
RESTORED = Ran(Phase("restored", "", None, reverse_move(MODEL), False, 0, 0), 40, 60)
RAN = (HEALTHY, HURT, RESTORED)


def blames(move: Move) -> Alert:
    return Alert.from_labels({"alertname": JOINED, "slo": "answers", **move._asdict()})


def wrong(moves: Mapping[Move, float], alerts: Mapping[Alert, float]) -> dict[str, list[str]]:
    seen = Seen(
        [(move, Spell(at, at + 10)) for move, at in moves.items()],
        [(alert, Spell(at, at + 10)) for alert, at in alerts.items()],
    )
    return {one.ran.phase.name: list(one.wrong) for one in judge_phases(RAN, seen) if one.wrong}


GOOD_MOVES = {MODEL: 25.0, reverse_move(MODEL): 45.0}
GOOD_ALERTS = {BURNS: 24.0, blames(MODEL): 25.0}


def test_correct_run_has_no_errors() -> None:
    assert wrong(GOOD_MOVES, GOOD_ALERTS) == {}


def test_unseen_move_is_an_error() -> None:
    assert wrong({}, {}) == {
        "model": [
            "not named: model gpt-x: gpt-x-1 → gpt-x-2",
            "answers got worse, and no budget was seen to burn",
            "no alert joins the burn with what was moved",
        ],
        "restored": ["not named: model gpt-x: gpt-x-2 → gpt-x-1"],
    }


@pytest.mark.parametrize(
    "other",
    [
        MODEL._replace(variable="prompt"),
        MODEL._replace(scope="gpt-y"),
        MODEL._replace(value="gpt-x-3"),
        MODEL._replace(previous="unknown"),
    ],
)
def test_move_must_match_in_every_part(other: Move) -> None:
    found = wrong({other: 25.0, reverse_move(MODEL): 45.0}, GOOD_ALERTS)
    assert found == {"model": [f"not named: {MODEL}", f"named, but nobody moved it: {other}"]}


@pytest.mark.parametrize(("at", "phase"), [(5.0, "healthy"), (25.0, "model"), (45.0, "restored")])
def test_additional_move_is_an_error(at: float, phase: str) -> None:
    assert wrong({**GOOD_MOVES, PROMPT: at}, GOOD_ALERTS) == {phase: [f"named, but nobody moved it: {PROMPT}"]}


def test_late_move_is_an_error() -> None:
    found = wrong({MODEL: 41.0, reverse_move(MODEL): 45.0}, GOOD_ALERTS)
    assert found == {"model": [f"not named: {MODEL}"], "restored": [f"named, but nobody moved it: {MODEL}"]}


def test_burn_in_a_healthy_phase_is_an_error() -> None:
    again = Alert.from_labels({"alertname": BURN, "slo": "tools"})
    found = wrong(GOOD_MOVES, {**GOOD_ALERTS, again: 10.0})
    assert found == {"healthy": ["nothing got worse, and an alert says so: slo=tools"]}


def test_burn_from_the_phase_before_is_no_error() -> None:
    assert wrong(GOOD_MOVES, {BURNS: 39.0, blames(MODEL): 39.5}) == {}


def test_evidence_in_the_next_phase_is_of_the_same_alert() -> None:
    about = {"alertname": JOINED, "slo": "answers", **MODEL._asdict()}
    seen = ((Alert.from_labels({**about, "explains": explains}), at) for explains, at in (("no", 39.0), ("yes", 41.0)))
    assert join_spells(seen) == [(blames(MODEL), Spell(39.0, 41.0))]


def test_restoration_may_not_be_blamed() -> None:
    found = wrong(GOOD_MOVES, {**GOOD_ALERTS, blames(reverse_move(MODEL)): 46.0})
    assert found == {"restored": [f"blamed for a burn that was there before: {reverse_move(MODEL)}"]}


def test_additional_blamed_variable_is_an_error() -> None:
    found = wrong(GOOD_MOVES, {**GOOD_ALERTS, blames(PROMPT): 26.0})
    assert found == {"model": [f"blamed, but nobody moved it: {PROMPT}"]}


def test_spell_bridges_a_late_evaluation_and_ends_in_silence() -> None:
    assert join_spells([("a", 5.0), ("a", 2.0), ("b", 3.0), ("a", 11.0)]) == [
        ("a", Spell(2.0, 5.0)),
        ("b", Spell(3.0, 3.0)),
        ("a", Spell(11.0, 11.0)),
    ]


# -- the script


def test_script_moves_there_and_back() -> None:
    moves = [phase.move for phase in phases.build_script()]
    assert moves == [
        None,
        Move("model", "gpt-5.5", "gpt-5.5-2026-10-21", "gpt-5.5-2026-03-05"),
        Move("model", "gpt-5.5", "gpt-5.5-2026-03-05", "gpt-5.5-2026-10-21"),
        Move("tools", "support", "ec08fa402d6dc9a3", "30226f176c76503b"),
        Move("tools", "support", "30226f176c76503b", "ec08fa402d6dc9a3"),
    ]


def test_script_is_short_and_patient_with_a_busy_machine() -> None:
    script = phases.build_script()
    assert sum(phase.at_least for phase in script) <= 90
    assert all(phase.at_most >= 2 * phase.at_least for phase in script if phase.act is not None)
