"""The benchmark of detection says what the rules do: a move that breaks something is named, and a miss is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench.detect import __main__ as bench
from bench.detect import outcomes
from bench.detect.cases import DAY, HOUR, Case, list_moving, list_quiet, list_restarted
from bench.detect.causes import Cause, list_causes
from bench.detect.outcomes import Run
from bench.detect.tasks import Service
from bench.detect.verdict import Setting, Verdict
from bench.detect.world import World

from otel_agentops.slo._promql import Clock

START, CLOCK = DAY, Clock(300)  # an evaluation in five minutes
MODEL, CALM = next(list_moving(START)), next(list_quiet())


@pytest.mark.rotation("simulations", "detection", 8, seconds=36)
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


@pytest.mark.rotation("simulations", "causes", 8, seconds=40)
def test_causes_are_named_and_a_tie_is_a_tie(promtool: Path, tmp_path: Path) -> None:
    names = ("model repointed for half of the calls", "outage, nothing moved", "two moves together")
    names += ("fallback route that grows",)
    causes = [cause for cause in list_causes() if cause.name in names]
    runs = {cause.name: outcomes.simulate_cause(promtool, tmp_path, cause, [1]) for cause in causes}
    assert {name: [(run.outcome, run.false_names) for run in each] for name, each in runs.items()} == {
        "model repointed for half of the calls": [("right", [])],
        "fallback route that grows": [("right", [])],
        "two moves together": [("tie", [])],
        "outage, nothing moved": [("right", [])],
    }
    assert all(outcomes.is_good(cause, runs[cause.name]) for cause in causes)
    assert all(run.changes <= 1 for each in runs.values() for run in each), "whoever is paged is told once, or twice"


NAMED = Run("right", 5, 7, 5, ())
BLAMED = Cause(Service("one"), frozenset({"model model-2"}))
NAMELESS = Cause(Service("one"), words=frozenset({"tie"}))


@pytest.mark.parametrize(
    ("cause", "run", "good"),
    [
        (BLAMED, NAMED, True),
        (BLAMED, NAMED._replace(named=8), False),
        (BLAMED, NAMED._replace(outcome="wrong"), False),
        (BLAMED, NAMED._replace(false_names=("prompt prompt-2",)), False),
        (BLAMED, Run("no burn", None, None, None, ()), False),
        (NAMELESS, Run("tie", 5, None, None, ()), True),
        (NAMELESS, Run("right", 5, 7, 5, ()), False),
    ],
)
def test_cause_reaches_the_goals_or_misses_them(cause: Cause, run: Run, good: bool) -> None:
    assert outcomes.is_good(cause, [run]) is good
