"""Every class of metrics is observed: those of the library, and the application's own, whenever they are made."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from deepeval.metrics import (
    AnswerRelevancyMetric,
    BaseConversationalMetric,
    BaseMetric,
    DAGMetric,
    ExactMatchMetric,
    GEval,
    HallucinationMetric,
)
from deepeval.metrics.dag import BinaryJudgementNode, DeepAcyclicGraph, VerdictNode
from deepeval.models import GPTModel
from deepeval.test_case import LLMTestCase, SingleTurnParams
from judgements import RESOLVED, describe_judgement, list_judges, write_prompt

from otel_agentops._patching import walk_subclasses
from otel_agentops.judges.deepeval import Instrumentor
from otel_agentops.testing import Capture, Record, capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call

VERSION = importlib.metadata.version("deepeval")
PARAMS = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT]
METHODS = ("measure", "a_measure")
VALUES: Record = {
    "statements": ["It is 4."],
    "verdicts": [{"verdict": "yes", "reason": "as scripted"}],
    "reason": "as scripted",
    "verdict": True,
    "steps": ["Read it."],
    "score": 8,
}


@pytest.fixture
def model(provider: FakeProvider) -> GPTModel:
    """Return the judge's model; whatever form is asked for, it has an answer of that form."""

    def answer(call: Call) -> Answer:
        schema = call.body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        names = schema.get("properties", ("score", "reason"))  # the score of a `GEval` is asked for in words
        return Answer(text=json.dumps({name: VALUES[name] for name in names}))

    provider.answer(answer)
    return GPTModel("gpt-4o", api_key="k", base_url=provider.openai_url)


class OwnMetric(BaseMetric):
    """A metric of the application, made before anything is instrumented; it returns nothing."""

    def __init__(self, limit: int, word: str = "4", threshold: float = 0.5) -> None:
        self.limit, self.word, self.threshold = limit, word, threshold

    def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> Any:
        self.score = float(self.word in (test_case.actual_output or ""))
        self.success = self.score >= self.threshold

    async def a_measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> Any:
        return self.measure(test_case)

    def is_successful(self) -> bool:
        return bool(self.success)


def describe_event(name: str, score: float, prompt: Record, params: Record | None = None, **judge: Any) -> Record:
    text = write_prompt({"version": VERSION, **prompt})
    return describe_judgement(name, prompt=text, params=params, gen_ai__evaluation__score__value=score, **judge)


@pytest.mark.parametrize("async_mode", [False, True])
def test_metric_with_three_calls_is_one_judgement(
    seen: Capture, model: GPTModel, case: LLMTestCase, async_mode: bool
) -> None:
    metric = AnswerRelevancyMetric(model=model, async_mode=async_mode)
    assert metric.measure(case, _show_indicator=False) == 1.0
    template = metric.evaluation_template
    prompt = {
        "metric": "deepeval.metrics.answer_relevancy.answer_relevancy.AnswerRelevancyMetric",
        "evaluation_template": f"{template.__module__}.{template.__qualname__}",
    }
    if getattr(metric, "eval_mode", None) is not None:
        prompt["eval_mode"] = seen_mode(metric)
    params = {"include_reason": True, "strict_mode": False}
    expected = describe_event(
        "Answer Relevancy", 1.0, prompt, params, model="gpt-4o", threshold=0.5, resolved=[RESOLVED]
    )
    assert seen.events == [expected]
    assert list_judges(seen) == ["Answer Relevancy"] * 3


def seen_mode(metric: Any) -> Any:
    """Return what newer versions add: who decides."""
    return getattr(metric.eval_mode, "value", metric.eval_mode)


def test_metric_inside_a_metric_is_no_judgement_of_its_own(seen: Capture, model: GPTModel, case: LLMTestCase) -> None:
    """The graph asks one question, and measures a `GEval` for the answer yes."""
    inner = GEval("Inner", PARAMS, criteria="Is it right?", model=model)
    no, yes = VerdictNode(verdict=False, score=0), VerdictNode(verdict=True, child=inner)
    node = BinaryJudgementNode(criteria="Is it short?", children=[no, yes], evaluation_params=PARAMS)
    metric = DAGMetric("Graph", dag=DeepAcyclicGraph(root_nodes=[node]), model=model, include_reason=False)
    metric.measure(case, _show_indicator=False)
    (event,) = seen.events
    assert event["attributes"]["gen_ai.evaluation.name"] == "Graph"
    assert event["attributes"]["gen_ai.evaluation.score.value"] == metric.score
    assert set(list_judges(seen)) == {"Graph"}
    assert len(seen.spans) == 3, "the question, the steps and the score"


@pytest.mark.parametrize(
    ("question", "criteria", "is_same"),
    [("Is it short?", "Right?", True), ("Is it long?", "Right?", False), ("Is it short?", "Wrong?", False)],
)
def test_every_text_of_a_graph_is_part_of_its_prompt(
    seen: Capture, model: GPTModel, case: LLMTestCase, question: str, criteria: str, is_same: bool
) -> None:
    for each in (("Is it short?", "Right?"), (question, criteria)):
        inner = GEval("Inner", PARAMS, criteria=each[1], model=model)
        children = [VerdictNode(verdict=False, score=0), VerdictNode(verdict=True, child=inner)]
        node = BinaryJudgementNode(criteria=each[0], children=children, evaluation_params=PARAMS)
        dag = DeepAcyclicGraph(root_nodes=[node])
        DAGMetric("Graph", dag=dag, model=model, include_reason=False).measure(case, _show_indicator=False)
    first, second = (event["attributes"]["otel_agentops.judge.revision"] for event in seen.events)
    assert (first == second) is is_same


def test_metric_without_a_model_is_a_judgement(seen: Capture) -> None:
    case = LLMTestCase(input="2 + 2", actual_output="4", expected_output="4")
    assert ExactMatchMetric(threshold=1).measure(case, _show_indicator=False) == 1.0
    prompt = {"metric": "deepeval.metrics.exact_match.exact_match.ExactMatchMetric"}
    assert seen.events == [describe_event("Exact Match", 1.0, prompt, threshold=1.0)]


@pytest.mark.parametrize("is_made_before", [True, False])
def test_metric_of_the_application_is_a_judgement(seen: Capture, case: LLMTestCase, is_made_before: bool) -> None:
    class LaterMetric(OwnMetric):
        def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> Any:
            return super().measure(test_case)  # one judgement, although both are patched

    kind = OwnMetric if is_made_before else LaterMetric
    kind(3).measure(case)
    prompt = {"metric": f"{kind.__module__}.{kind.__qualname__}", "word": "4"}
    assert seen.events == [describe_event(kind.__name__, 1.0, prompt, {"limit": 3}, threshold=0.5)]


async def test_a_measure_of_the_application_is_a_judgement(seen: Capture, case: LLMTestCase) -> None:
    await OwnMetric(3).a_measure(case)
    prompt = {"metric": f"{OwnMetric.__module__}.OwnMetric", "word": "4"}
    assert seen.events == [describe_event("OwnMetric", 1.0, prompt, {"limit": 3}, threshold=0.5)]


def test_metric_without_a_score_has_fallen_silent(seen: Capture, case: LLMTestCase) -> None:
    class Silent(OwnMetric):
        def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> Any:
            self.score = None

    Silent(3).measure(case)
    (event,) = seen.events
    assert event["attributes"]["error.type"] == "no_verdict"
    assert "gen_ai.evaluation.score.value" not in event["attributes"]


def test_threshold_that_is_a_ceiling_is_a_parameter(seen: Capture, model: GPTModel) -> None:
    """In version 4.0 a hallucination of 0 is the best."""
    case = LLMTestCase(input="2 + 2", actual_output="4", context=["It is 4."])
    metric = HallucinationMetric(model=model, async_mode=False)
    score = metric.measure(case, _show_indicator=False)
    (event,) = seen.events
    assert event["attributes"]["gen_ai.evaluation.score.value"] == score
    is_low_good = VERSION.startswith("4.0.")
    assert ("otel_agentops.judge.threshold" in event["attributes"]) is not is_low_good


def list_own_methods() -> dict[str, Callable[..., Any]]:
    """Return the methods that each class of the library defines itself."""
    classes = [*walk_subclasses(BaseMetric), *walk_subclasses(BaseConversationalMetric)]
    return {
        f"{kind.__module__}.{kind.__qualname__}.{name}": vars(kind)[name]
        for kind in classes
        for name in METHODS
        if name in vars(kind) and kind.__module__.startswith("deepeval.metrics") and "<locals>" not in kind.__qualname__
    }


def test_all_classes_are_patched_and_put_back(instrumentor: Instrumentor) -> None:
    before = list_own_methods()
    assert len(before) > 60
    instrumentor.instrument()
    try:
        patched = list_own_methods()
        assert [name for name in before if patched[name] is before[name]] == []
        assert [name for name in before if inspect.signature(patched[name]) != inspect.signature(before[name])] == []
    finally:
        instrumentor.uninstrument()
    assert list_own_methods() == before


def test_metric_made_while_uninstrumented_is_patched_later(instrumentor: Instrumentor, case: LLMTestCase) -> None:
    class Between(OwnMetric):
        def measure(self, test_case: LLMTestCase, *args: Any, **kwargs: Any) -> Any:
            return 0.25

    with capture(instrumentor) as seen:
        Between(3).measure(case)
    assert [event["attributes"]["gen_ai.evaluation.score.value"] for event in seen.events] == [0.25]
