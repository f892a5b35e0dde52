"""The gold cohort: the trace id alone decides, a larger share has all of a smaller one, and tasks say it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops import is_gold, task
from otel_agentops._config import read_config
from otel_agentops.testing import capture

TRACE_IDS = st.integers(min_value=1, max_value=2**128 - 1)
RATIOS = st.floats(min_value=1e-6, max_value=1)
# The last 56 bits at and below the threshold of 5 %.
EDGES = {"0123456789abcdef12f3333333333333": True, "0123456789abcdef12f3333333333332": False}


@given(TRACE_IDS, RATIOS)
def test_number_and_text_of_a_trace_id_agree(trace_id: int, ratio: float) -> None:
    assert is_gold(trace_id, ratio) == is_gold(f"{trace_id:032x}", ratio)


@given(TRACE_IDS, RATIOS, RATIOS)
def test_larger_cohort_has_all_of_a_smaller_one(trace_id: int, one: float, other: float) -> None:
    assert is_gold(trace_id, min(one, other)) <= is_gold(trace_id, max(one, other))


@given(TRACE_IDS, st.integers(min_value=0, max_value=2**72 - 1))
def test_first_bits_of_a_trace_id_do_not_matter(trace_id: int, other: int) -> None:
    """They may be a time, as with AWS X-Ray."""
    assert is_gold(trace_id, 0.3) == is_gold((trace_id % 2**56) | other << 56, 0.3)


@pytest.mark.parametrize(("trace_id", "expected"), EDGES.items())
def test_threshold_is_that_of_consistent_sampling(trace_id: str, expected: bool) -> None:
    assert is_gold(trace_id, 0.05) is expected


def test_share_of_the_traces_is_the_ratio() -> None:
    pick = random.Random(7)
    chosen = sum(is_gold(pick.getrandbits(128), 0.05) for _ in range(20_000))
    assert abs(chosen - 1000) < 4 * 31, "four standard deviations"
    assert is_gold(1, 1)


@pytest.mark.parametrize("ratio", [0, -0.1, 1.5, float("nan")])
def test_ratio_out_of_range_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"is_gold\(ratio="):
        is_gold(1, ratio)


def test_task_says_if_it_is_gold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_GOLD_RATIO", "0.5")
    with capture() as seen:
        receipts = []
        for _ in range(20):
            with task("support") as run, task("planner"):
                pass
            receipts.append(run.receipt())
        spans = seen.finished_spans
    for span in spans:
        is_root = span.name == "invoke_workflow support"
        expected = is_gold(span.context.trace_id, 0.5) if is_root else None
        assert (span.attributes or {}).get("otel_agentops.task.gold") is expected
    said = [span.attributes["otel_agentops.task.gold"] for span in spans if "workflow" in span.name]
    assert said == [receipt["otel_agentops.task.gold"] for receipt in receipts]
    assert {True, False} == set(said)


def test_task_says_nothing_without_a_ratio() -> None:
    with capture() as seen, task("support") as run:
        pass
    assert "otel_agentops.task.gold" not in run.receipt()
    assert "otel_agentops.task.gold" not in seen.spans[0]["attributes"]


@pytest.mark.parametrize(
    ("text", "expected"), [("0.05", 0.05), (" 1 ", 1.0), ("", None), ("5%", None), ("0", None), ("nan", None)]
)
def test_ratio_is_read_or_left_out(text: str, expected: float | None) -> None:
    assert read_config({"OTEL_AGENTOPS_GOLD_RATIO": text}).gold_ratio == expected
