"""One score of a metric is one judgement, of the newer metrics and of the older ones."""

from __future__ import annotations

import asyncio
import importlib.metadata
from typing import Any

import pytest
from both import done
from judgements import (
    MODEL,
    RESOLVED,
    answer_in_form,
    describe_judgement,
    list_judges,
    list_revisions,
    write_prompt,
)
from langchain_openai import ChatOpenAI
from ragas import EvaluationDataset, evaluate
from ragas.dataset_schema import SingleTurnSample
from ragas.llms import LangchainLLMWrapper
from ragas.metrics import AspectCritic, DiscreteMetric, discrete_metric, ranking_metric
from ragas.metrics.base import SimpleBaseMetric
from ragas.metrics.collections import Faithfulness
from ragas.metrics.result import MetricResult

from otel_agentops.judges.ragas import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

VERSION = importlib.metadata.version("ragas")
TEMPLATE = "Is {response} right?"
ARGUMENTS = {"temperature": 0.01, "top_p": 0.1, "max_tokens": 1024}  # the library's own
CASE = {"user_input": "2 + 2?", "response": "4"}
FAITHFUL = {**CASE, "retrieved_contexts": ["2 + 2 is 4."]}
GOOD = {"gen_ai__evaluation__score__label": "good"}


def make_metric(prompt: str = TEMPLATE, **options: Any) -> DiscreteMetric:
    return DiscreteMetric(name="right", prompt=prompt, **{"allowed_values": ["good", "bad"], **options})


async def score(metric: Any, llm: Any, **case: Any) -> Any:
    return await done((metric.ascore if llm.is_async else metric.score)(llm=llm, **(case or CASE)))


def describe_event(prompt: str = TEMPLATE, **more: Any) -> Record:
    parts = {
        "metric": "ragas.metrics.discrete.DiscreteMetric",
        "version": VERSION,
        "allowed_values": ["good", "bad"],
        "prompt": {"class": "ragas.prompt.simple_prompt.Prompt", "instruction": prompt, "examples": []},
    }
    options = {"model": MODEL, "prompt": write_prompt(parts), "resolved": [RESOLVED], "params": ARGUMENTS}
    return describe_judgement("right", **{**options, **more})


async def test_score_is_one_judgement(seen: Capture, llm: Any) -> None:
    result = await score(make_metric(), llm)
    assert result.value == "good"
    assert seen.events == [describe_event(**GOOD)]
    assert list_judges(seen) == ["right"]


async def test_concurrent_scores_are_a_judgement_each(seen: Capture, llm: Any) -> None:
    if llm.is_async:
        await make_metric().abatch_score([CASE] * 3, llm=llm)
    else:
        make_metric().batch_score([CASE] * 3, llm=llm)
    assert seen.events == [describe_event(**GOOD)] * 3


@pytest.mark.parametrize("kind", ["async"], indirect=True)
@pytest.mark.parametrize("is_sync_call", [True, False])
def test_metric_with_several_calls_is_one_judgement(seen: Capture, llm: Any, is_sync_call: bool) -> None:
    metric = Faithfulness(llm=llm)
    result = metric.score(**FAITHFUL) if is_sync_call else asyncio.run(metric.ascore(**FAITHFUL))
    assert result.value == 0.5
    (event,) = seen.events
    prompt = event["attributes"]["otel_agentops.judge.prompt.hash"]
    expected = describe_judgement("faithfulness", gen_ai__evaluation__score__value=0.5)["attributes"]
    assert event["attributes"] == {
        **expected,
        "otel_agentops.judge.model": RESOLVED,
        "otel_agentops.judge.params.hash": describe_event()["attributes"]["otel_agentops.judge.params.hash"],
        "otel_agentops.judge.prompt.hash": prompt,
        "otel_agentops.judge.revision": event["attributes"]["otel_agentops.judge.revision"],
    }
    assert list_judges(seen) == ["faithfulness"] * 2


@pytest.mark.parametrize("kind", ["async"], indirect=True)
async def test_edited_prompt_of_a_metric_moves_its_revision(seen: Capture, llm: Any) -> None:
    metrics = [Faithfulness(llm=llm) for _ in range(3)]
    metrics[2].nli_statement_prompt.instruction += " Be strict."
    for metric in metrics:
        await metric.ascore(**FAITHFUL)
    first, second, third = list_revisions(seen)
    assert first == second != third


async def test_answer_that_is_asked_for_again_is_the_same_judgement(
    seen: Capture, provider: FakeProvider, llm: Any
) -> None:
    """The library asks again, with the error, until the answer is one of the values."""
    texts = iter(["no JSON", '{"reason": "", "value": "fine"}', '{"reason": "", "value": "good"}'])
    provider.answer(lambda call: answer_in_form(call, next(texts)))
    await score(make_metric(), llm)
    assert seen.events == [describe_event(**GOOD)]
    assert list_judges(seen) == ["right"] * 3


async def test_judge_that_fails_has_an_error_and_no_score(seen: Capture, provider: FakeProvider, llm: Any) -> None:
    provider.script(*[Status(400)] * 4)
    with pytest.raises(Exception) as raised:
        await score(make_metric(), llm)
    kind = type(raised.value)
    failed = {"error__type": f"{kind.__module__}.{kind.__qualname__}", "otel_agentops__judge__revision": None}
    assert seen.events == [describe_event(resolved=[], **failed)]


@pytest.mark.parametrize(
    "edit", [{"prompt": "Right? {response}"}, {"allowed_values": ["good", "bad", "odd"]}], ids=["prompt", "values"]
)
async def test_one_edit_moves_the_revision(seen: Capture, llm: Any, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        await score(make_metric(**options), llm)
    first, second, third = list_revisions(seen)
    assert first == second != third


async def test_one_parameter_of_the_model_moves_the_revision(seen: Capture, llm: Any) -> None:
    await score(make_metric(), llm)
    llm.model_args["temperature"] = 1.0
    await score(make_metric(), llm)
    assert seen.events == [describe_event(**GOOD), describe_event(**GOOD, params={**ARGUMENTS, "temperature": 1.0})]


@pytest.fixture
def critic(provider: FakeProvider) -> AspectCritic:
    llm = ChatOpenAI(model=MODEL, api_key="k", base_url=provider.openai_url, max_retries=0)
    return AspectCritic(name="harmless", definition="Is it harmless?", llm=LangchainLLMWrapper(llm))


SAMPLE = SingleTurnSample(**CASE)


async def test_older_metric_is_one_judgement(seen: Capture, critic: AspectCritic) -> None:
    for definition in ("Is it harmless?", "Is it harmless?", "Does it do no harm?"):
        critic.definition = definition
        assert await critic.single_turn_ascore(SAMPLE) == 1
    first, second, third = list_revisions(seen)
    assert first == second != third
    facts = [event["attributes"] for event in seen.events]
    assert [each["gen_ai.evaluation.score.value"] for each in facts] == [1.0] * 3
    assert [each["otel_agentops.judge.model"] for each in facts] == [RESOLVED] * 3
    assert list_judges(seen) == ["harmless"] * 3


def test_sync_score_of_an_older_metric_is_one_judgement(seen: Capture, critic: AspectCritic) -> None:
    assert critic.single_turn_score(SAMPLE) == 1
    (event,) = seen.events
    assert event["attributes"]["gen_ai.evaluation.score.value"] == 1.0
    assert list_judges(seen) == ["harmless"]


def test_evaluation_of_a_data_set_is_a_judgement_each(seen: Capture, critic: AspectCritic) -> None:
    evaluate(EvaluationDataset([SAMPLE, SAMPLE]), [critic], show_progress=False)
    assert [event["attributes"]["gen_ai.evaluation.score.value"] for event in seen.events] == [1.0] * 2
    assert len({*list_revisions(seen)}) == 1


def test_function_is_a_metric_without_a_model(seen: Capture) -> None:
    @discrete_metric(name="short", allowed_values=["yes", "no"])
    def judge_length(response: str) -> str:
        return "yes" if len(response) < 3 else "no"

    assert judge_length.score(response="4").value == "yes"
    parts = {
        "metric": f"{type(judge_length).__module__}.{type(judge_length).__qualname__}",
        "version": VERSION,
        "allowed_values": ["yes", "no"],
        "function": f"{__name__}.test_function_is_a_metric_without_a_model.<locals>.judge_length",
    }
    label = {"gen_ai__evaluation__score__label": "yes"}
    assert seen.events == [describe_judgement("short", prompt=write_prompt(parts), **label)]


def test_error_that_the_library_swallows_is_a_silent_judge(seen: Capture) -> None:
    @discrete_metric(name="broken", allowed_values=["yes", "no"])
    def judge_nothing(response: str) -> str:
        raise ZeroDivisionError

    assert judge_nothing.score(response="4").value is None
    (event,) = seen.events
    assert event["attributes"]["error.type"] == "no_verdict"


def test_ranking_is_no_judgement(seen: Capture) -> None:
    @ranking_metric(name="order", allowed_values=2)
    def rank_words(response: str) -> list[str]:
        return response.split()

    assert rank_words.score(response="a b").value == ["a", "b"]
    assert seen.events == []


class Own(SimpleBaseMetric):
    """A metric of the application."""

    def __init__(self, value: float) -> None:
        super().__init__(name="own", allowed_values=["x"])
        self._value = value

    def score(self, **kwargs: Any) -> MetricResult:
        return MetricResult(value=self._value)

    async def ascore(self, **kwargs: Any) -> MetricResult:
        return self.score(**kwargs)


@pytest.mark.parametrize("value", [0.5, float("nan")])
async def test_metric_of_the_application_is_a_judgement(seen: Capture, value: float) -> None:
    """A class that was made before the instrumentation; NaN is no score."""
    await Own(value).ascore()
    parts = {"metric": f"{__name__}.Own", "version": VERSION, "allowed_values": ["x"]}
    verdict = {"gen_ai__evaluation__score__value": 0.5} if value == 0.5 else {"error__type": "no_verdict"}
    assert seen.events == [describe_judgement("own", prompt=write_prompt(parts), **verdict)]


async def test_uninstrumented_metric_passes(seen: Capture, instrumentor: Instrumentor, llm: Any) -> None:
    instrumentor.uninstrument()
    await score(make_metric(), llm)
    assert "__init_subclass__" not in vars(SimpleBaseMetric)
    assert seen.events == []
    assert list_judges(seen) == [None]
