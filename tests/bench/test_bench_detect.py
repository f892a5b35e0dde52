"""The benchmark of detection says what the rules do: a move that breaks something is named, and a miss is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.detect import __main__ as bench
from bench.detect.cases import DAY, HOUR, Case, list_moving, list_quiet, list_restarted
from bench.detect.verdict import Setting, Verdict
from bench.detect.world import World

from otel_agentops.slo._promql import Clock

START, CLOCK = DAY, Clock(300)  # an evaluation in five minutes
MODEL, CALM = next(list_moving(START)), next(list_quiet())


@pytest.mark.rotation("simulations", "detection", 6, seconds=36)
def test_a_move_is_named_and_calm_is_calm() -> None:
    world = World((), START + 2 * HOUR, CLOCK, seed=3, restart=START + 10)
    verdicts = {
        each.case.name: each
        for each in bench.run_settings([Setting([MODEL, CALM, *list_restarted(START)], START, world)])
    }
    assert {name: each.is_good for name, each in verdicts.items()} == {
        "model": True,
        "nothing": True,
        "restart, model": True,
        "restart, nothing": True,
    }
    assert set(verdicts["model"].moved_minutes) == set(verdicts["model"].blamed_minutes) == {"model"}


GOOD = Verdict(MODEL, 14, {"model": 5}, {"model": 14}, (), 1)


@pytest.mark.parametrize(
    ("verdict", "good"),
    [
        (GOOD, True),
        (replace(GOOD, blamed_minutes={"model": 16}), True),
        (replace(GOOD, blamed_minutes={"model": 17}), False),
        (replace(GOOD, blamed_minutes={}), False),
        (replace(GOOD, burns=None), False),
        (replace(GOOD, blamed_minutes={"model": 15, "prompt": 14}), False),
        (replace(GOOD, wrong=["OtelAgentopsVariableMoved prompt"]), False),
        (replace(GOOD, case=Case("nothing", ()), wrong=["OtelAgentopsErrorBudgetBurn"]), False),
    ],
)
def test_what_counts_as_missed(verdict: Verdict, good: bool) -> None:
    assert verdict.is_good is good
