"""One measurement of a metric is one judgement, whoever calls it; the model calls inside are the judge's."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
from collections.abc import Callable
from typing import Any

import deepeval
import openai
import pytest
from deepeval.errors import MissingTestCaseParamsError
from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import GEval
from deepeval.metrics.g_eval import Rubric
from deepeval.metrics.utils import copy_metrics
from deepeval.test_case import LLMTestCase

import otel_agentops
from otel_agentops._hashing import identity
from otel_agentops.judges.deepeval import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

MakeMetric = Callable[..., GEval]
PARAMS = {"strict_mode": False, "top_logprobs": 20}
SCORE = 0.8
RESOLVED = "gpt-4o-2024-11-20"
UNANSWERED = {"otel_agentops.judge.model": None, "otel_agentops.judge.revision": None}  # a failure is no other judge


def hash_prompt(metric: GEval, **prompt: Any) -> str:
    template = metric.evaluation_template
    parts = {
        "criteria": "Is it right?",
        "evaluation_params": ["input", "actual_output"],
        "evaluation_template": f"{template.__module__}.{template.__qualname__}",
        "metric": "deepeval.metrics.g_eval.g_eval.GEval",
        "version": importlib.metadata.version("deepeval"),
        **prompt,
    }
    return identity([json.dumps(parts, ensure_ascii=False, sort_keys=True)])


def describe_judge(metric: GEval, threshold: float = 0.5, model: str = RESOLVED, **prompt: Any) -> Record:
    configuration = {
        "model": "gpt-4o",
        "prompt": hash_prompt(metric, **prompt),
        "threshold": threshold,
        "params": PARAMS,
        "resolved_models": [model],
    }
    return {
        "otel_agentops.judge.name": "Correctness",
        "otel_agentops.judge.params.hash": identity(PARAMS),
        "otel_agentops.judge.prompt.hash": configuration["prompt"],
        "otel_agentops.judge.revision": identity([configuration]),
        "otel_agentops.judge.threshold": threshold,
    }


def describe_call(metric: GEval) -> Record:
    """Return what a span of the judge's model call says of the judge: its revision is not known yet."""
    return {key: value for key, value in describe_judge(metric).items() if not key.endswith(".revision")}


def describe_event(metric: GEval, *, in_span: bool = False, **more: Any) -> Record:
    """Return the event of a metric of which only the criteria are given."""
    attributes = {
        **describe_judge(metric),
        "gen_ai.evaluation.name": "Correctness",
        "gen_ai.evaluation.score.value": SCORE,
        "otel_agentops.judge.model": RESOLVED,
        **more,
    }
    known = {key: value for key, value in sorted(attributes.items()) if value is not None}
    return {"event_name": "gen_ai.evaluation.result", "in_span": in_span, "attributes": known}


def select_judge(span: Record) -> Record:
    return {key: value for key, value in span["attributes"].items() if key.startswith("otel_agentops.judge.")}


def list_revisions(seen: Capture) -> list[str]:
    return [event["attributes"]["otel_agentops.judge.revision"] for event in seen.events]


def measure(metric: GEval, case: LLMTestCase) -> float:
    return float(metric.measure(case, _show_indicator=False))


async def a_measure(metric: GEval, case: LLMTestCase) -> float:
    return float(await metric.a_measure(case, _show_indicator=False))


@pytest.mark.parametrize("async_mode", [False, True])
def test_measure_is_one_judgement(seen: Capture, make_metric: MakeMetric, case: LLMTestCase, async_mode: bool) -> None:
    metric = make_metric(async_mode=async_mode)
    assert measure(metric, case) == SCORE
    assert seen.events == [describe_event(metric)]
    assert [span["name"] for span in seen.spans] == ["chat gpt-4o", "chat gpt-4o"]
    assert [select_judge(span) for span in seen.spans] == [describe_call(metric)] * 2


async def test_a_measure_is_one_judgement(seen: Capture, make_metric: MakeMetric, case: LLMTestCase) -> None:
    metric = make_metric()
    assert await a_measure(metric, case) == SCORE
    assert seen.events == [describe_event(metric)]
    assert [select_judge(span) for span in seen.spans] == [describe_call(metric)] * 2


def test_runner_makes_one_judgement_of_each_case(seen: Capture, make_metric: MakeMetric, case: LLMTestCase) -> None:
    metric = make_metric()
    cases = [case, LLMTestCase(input="What is 2 + 3?", actual_output="5")]
    deepeval.evaluate(
        cases,
        [metric],
        async_config=AsyncConfig(run_async=False),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
        cache_config=CacheConfig(write_cache=False),
    )
    assert seen.events == [describe_event(metric)] * 2


async def test_steps_written_by_the_judge_are_not_in_its_prompt(
    seen: Capture, make_metric: MakeMetric, case: LLMTestCase
) -> None:
    """They differ from run to run, and stay on the metric and on its copies."""
    metric, other = make_metric(), make_metric()
    await asyncio.gather(*(a_measure(metric, case) for _ in range(3)))
    await a_measure(metric, case)
    await a_measure(copy_metrics([metric])[0], case)
    await a_measure(other, case)
    assert metric.evaluation_steps != other.evaluation_steps
    assert set(list_revisions(seen)) == {describe_judge(metric)["otel_agentops.judge.revision"]}
    assert len(seen.events) == 6


def describe_rubric(rubric: Rubric) -> Record:
    kind = "deepeval.metrics.g_eval.utils.Rubric"
    return {"class": kind, "score_range": [*rubric.score_range], "expected_outcome": rubric.expected_outcome}


def test_declared_steps_and_rubric_are_part_of_the_prompt(
    seen: Capture, make_metric: MakeMetric, case: LLMTestCase
) -> None:
    steps = ["Compare the numbers."]
    rubrics = [
        Rubric(score_range=(0, 4), expected_outcome="Wrong."),
        Rubric(score_range=(5, 10), expected_outcome="Right."),
    ]
    with_steps, with_rubric = make_metric(evaluation_steps=steps), make_metric(rubric=rubrics)
    measure(with_steps, case)
    measure(with_rubric, case)
    assert list_revisions(seen) == [
        describe_judge(with_steps, evaluation_steps=steps)["otel_agentops.judge.revision"],
        describe_judge(with_rubric, rubric=[*map(describe_rubric, rubrics)])["otel_agentops.judge.revision"],
    ]


def test_threshold_is_part_of_the_revision(seen: Capture, make_metric: MakeMetric, case: LLMTestCase) -> None:
    metric = make_metric(threshold=0.9)
    measure(metric, case)
    assert metric.success is False
    assert seen.events == [describe_event(metric, **describe_judge(metric, 0.9))]


def test_judge_whose_model_is_repointed_is_another(
    seen: Capture, provider: FakeProvider, make_metric: MakeMetric, case: LLMTestCase
) -> None:
    metric, later = make_metric(), "gpt-4o-2026-11-01"
    measure(metric, case)
    provider.alias("gpt-4o", later)
    measure(metric, case)
    expected = [describe_judge(metric, model=model)["otel_agentops.judge.revision"] for model in (RESOLVED, later)]
    assert list_revisions(seen) == expected


async def test_judge_that_fails_has_an_error_and_no_score(
    seen: Capture, provider: FakeProvider, make_metric: MakeMetric, case: LLMTestCase
) -> None:
    metric = make_metric()
    provider.script(Status(400))
    with pytest.raises(openai.BadRequestError):
        await a_measure(metric, case)
    failed = {"error.type": "openai.BadRequestError", **UNANSWERED}
    assert seen.events == [describe_event(metric, **failed, **{"gen_ai.evaluation.score.value": None})]


def test_case_that_lacks_a_part_is_a_failed_judgement(seen: Capture, make_metric: MakeMetric) -> None:
    metric = make_metric()
    with pytest.raises(MissingTestCaseParamsError) as raised:
        measure(metric, LLMTestCase(input="What is 2 + 2?"))
    kind = type(raised.value)
    failed = {
        "error.type": f"{kind.__module__}.{kind.__qualname__}",
        "gen_ai.evaluation.score.value": None,
        **UNANSWERED,
    }
    assert seen.events == [describe_event(metric, **failed)]
    assert seen.spans == []


def test_score_is_on_the_receipt_of_the_task(seen: Capture, make_metric: MakeMetric, case: LLMTestCase) -> None:
    metric = make_metric()
    with otel_agentops.task("answer") as task:
        measure(metric, case)
        receipt = task.receipt()
    facts = {key: receipt[key] for key in ("otel_agentops.task.id", "otel_agentops.task.name")}
    assert seen.events == [describe_event(metric, in_span=True, **facts)]
    assert receipt["gen_ai.evaluation.score.value"] == SCORE
    assert receipt["otel_agentops.judge.name"] == "Correctness"
    assert "gen_ai.response.model" not in receipt, "the judge's model is none of the task's facts"


def test_uninstrumented_metric_passes(
    seen: Capture, instrumentor: Instrumentor, make_metric: MakeMetric, case: LLMTestCase
) -> None:
    instrumentor.uninstrument()
    assert measure(make_metric(), case) == SCORE
    assert seen.events == []
    assert [select_judge(span) for span in seen.spans] == [{}, {}]
