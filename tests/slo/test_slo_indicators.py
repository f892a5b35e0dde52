"""The built-in indicators as conditions; what a collector makes of them is in tests/collector/test_indicators.py."""

from __future__ import annotations

import re

import pytest

import stack
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator, narrow_to_judge


def test_sixteen_and_each_says_what_it_is() -> None:
    made = [*BUILT_IN.values(), *(each.make(name, 3, each.ons[0]) for name, each in PARAMETRISED.items())]
    assert {each.name: each.type for each in made} == {
        "task_completed": "proxy",
        "abandonment": "proxy",
        "escalation": "proxy",
        "tool_failure_cluster": "proxy",
        "user_retry": "proxy",
        "user_rework": "proxy",
        "grounded": "proxy",
        "loop_free": "proxy",
        "cost_ceiling": "proxy",
        "valid_output": "proxy",
        "judge_score": "proxy",
        "score_floor": "proxy",
        "empty_result": "proxy",
        "tool_success": "direct",
        "call_success": "direct",
        "latency": "direct",
    }


def test_the_docs_have_a_row_for_each() -> None:
    page = (stack.ROOT / "docs" / "slo.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (proxy|direct) \|.*\| (.*?) ?\|$", page, re.MULTILINE)
    types = {**{name: each.type for name, each in BUILT_IN.items()}}
    types |= {name: each.make(name, 3, each.ons[0]).type for name, each in PARAMETRISED.items()}
    assert {name: kind for name, kind, _ in rows} == types
    for name, _, threshold in rows:
        wanted = PARAMETRISED[name].default if name in PARAMETRISED else ""
        assert threshold.partition(",")[0] == ("needed" if wanted is None else str(wanted))


def test_only_what_is_a_definition_has_a_default() -> None:
    defaults = {name: each.default for name, each in PARAMETRISED.items() if each.default is not None}
    assert defaults == {"tool_failure_cluster": 3, "loop_free": 3}


def test_a_threshold_is_part_of_the_condition() -> None:
    assert PARAMETRISED["cost_ceiling"].make("dear", 0.05, "task") == Indicator(
        "dear",
        "proxy",
        "task",
        'attributes["otel_agentops.task.cost"] >= 0 and attributes["otel_agentops.task.cost"] < 1000000000',
        'attributes["otel_agentops.task.cost"] > 0.05',
        ("otel_agentops.task.name",),
        "tasks that cost more than 0.05 USD",
    )


def test_one_judge_is_part_of_the_condition() -> None:
    low = PARAMETRISED["score_floor"].make("low", 0.7, "evaluation")
    score = 'attributes["gen_ai.evaluation.score.value"]'
    assert narrow_to_judge(low, 'the "né"') == Indicator(
        "low",
        "proxy",
        "evaluation",
        f'attributes["otel_agentops.judge.name"] == "the \\"né\\"" and {score} > -1000000000 and {score} < 1000000000',
        f"{score} < 0.7",
        ("otel_agentops.judge.name", "otel_agentops.judge.revision"),
        "answers that the judge scored below 0.7",
        0.7,
        'the "né"',
    )


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"), [(8, 8_000_000_000), (0.25, 250_000_000), (1e-3, 1_000_000), (86400, 86400 * 10**9)]
)
def test_seconds_are_nanoseconds(seconds: float, nanoseconds: int) -> None:
    slow = PARAMETRISED["latency"].make("slow", seconds, "model")
    assert slow.bad == f"span.end_time_unix_nano - span.start_time_unix_nano > {nanoseconds}"


@pytest.mark.parametrize(("threshold", "text"), [(0.000001, "0.000001"), (3.0, "3"), (20000000.0, "20000000")])
def test_a_number_has_no_exponent(threshold: float, text: str) -> None:
    """OTTL knows none without a point."""
    assert PARAMETRISED["cost_ceiling"].make("dear", threshold, "task").bad.endswith(f" > {text}")
