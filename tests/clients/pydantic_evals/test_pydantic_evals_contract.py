"""One run of an evaluator on a case is one judgement; the agent that judges is no task of the application."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

import tenacity
from judgements import MODEL, RESOLVED, describe_judgement, list_judges, list_revisions, write_prompt
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected, Evaluator, EvaluatorContext, LLMJudge

import otel_agentops
from otel_agentops.judges.pydantic_evals import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

VERSION = importlib.metadata.version("pydantic-evals")
RUBRIC = "The answer is right."
BOTH = {"score": {"include_reason": True}, "assertion": {"include_reason": True}}
FLAGS = {"include_input": False, "include_expected_output": False}


def write_judge_prompt(**parts: Any) -> str:
    kind = f"{LLMJudge.__module__}.{LLMJudge.__qualname__}"
    return write_prompt({"evaluator": kind, "version": VERSION, "rubric": RUBRIC, "score": BOTH["score"], **parts})


def describe_event(model: OpenAIChatModel, **more: Any) -> Record:
    return describe_judgement(
        "LLMJudge",
        **{
            "model": getattr(model, "model_id", MODEL),
            "prompt": write_judge_prompt(assertion=BOTH["assertion"]),
            "resolved": [RESOLVED],
            "params": FLAGS,
            "gen_ai__evaluation__score__value": 0.8,
            "gen_ai__evaluation__score__label": "pass",
            **more,
        },
    )


def make_dataset(*evaluators: Any, outputs: int = 1) -> Any:
    cases = [Case(name=f"case {n}", inputs="2 + 2", expected_output="4") for n in range(outputs)]
    return Dataset(name="sums", cases=cases, evaluators=list(evaluators))


async def answer(question: str) -> str:
    return "4"


async def evaluate(*evaluators: Any, cases: int = 1, **options: Any) -> Any:
    return await make_dataset(*evaluators, outputs=cases).evaluate(answer, progress=False, **options)


def make_judge(model: Any, **options: Any) -> Any:
    return LLMJudge(**{"rubric": RUBRIC, "model": model, **BOTH, **options})


async def test_report_makes_one_judgement_of_each_case(seen: Capture, model: OpenAIChatModel) -> None:
    await evaluate(make_judge(model), cases=2)
    assert seen.events == [describe_event(model)] * 2
    assert list_judges(seen) == ["LLMJudge"] * 2


async def test_agent_that_judges_is_no_task(seen: Capture, model: OpenAIChatModel) -> None:
    await evaluate(make_judge(model))
    assert not any("otel_agentops.task.outcome" in span["attributes"] for span in seen.spans)
    agents = [span for span in seen.spans if span["name"].startswith("invoke_")]
    assert [span["attributes"]["otel_agentops.judge.name"] for span in agents] == ["LLMJudge"]


def test_sync_report_is_observed_in_its_own_loop(seen: Capture, model: OpenAIChatModel) -> None:
    make_dataset(make_judge(model)).evaluate_sync(answer, progress=False)
    assert seen.events == [describe_event(model)]


@dataclass
class Named(Evaluator):
    """An evaluator of the application."""

    word: str = "4"
    limit: int = 3

    def evaluate(self, ctx: EvaluatorContext) -> Any:
        return {"length": len(ctx.output), "words": 2, "says": self.word in ctx.output}


@dataclass
class Quiet(Evaluator):
    def evaluate(self, ctx: EvaluatorContext) -> Any:
        return {}


@dataclass
class Broken(Evaluator):
    def evaluate(self, ctx: EvaluatorContext) -> Any:
        raise ZeroDivisionError("as scripted")


def describe_own(kind: type, name: str | None = None, **more: Any) -> Record:
    parts = {"evaluator": f"{kind.__module__}.{kind.__qualname__}", "version": VERSION}
    prompt = write_prompt({**parts, **({"word": "4"} if kind is Named else {})})
    params = {"limit": 3} if kind is Named else None
    named = {} if name is None else {"gen_ai__evaluation__name": name}
    return describe_judgement(kind.__name__, prompt=prompt, params=params, **named, **more)


async def test_evaluator_with_several_values_gives_each_its_name(seen: Capture) -> None:
    await evaluate(Named())
    says = {"gen_ai__evaluation__score__value": 1.0, "gen_ai__evaluation__score__label": "pass"}
    assert seen.events == [
        describe_own(Named, "length", gen_ai__evaluation__score__value=1.0),
        describe_own(Named, "words", gen_ai__evaluation__score__value=2.0),
        describe_own(Named, "says", **says),
    ]


async def test_evaluator_that_does_not_apply_is_no_judgement(seen: Capture) -> None:
    await evaluate(Quiet())
    assert seen.events == []


async def test_evaluator_without_a_model_is_a_judgement(seen: Capture) -> None:
    await evaluate(EqualsExpected())
    passed = {"gen_ai__evaluation__score__value": 1.0, "gen_ai__evaluation__score__label": "pass"}
    assert seen.events == [describe_own(EqualsExpected, **passed)]


async def test_failing_evaluator_has_an_error_and_no_score(seen: Capture) -> None:
    report = await evaluate(Broken())
    assert len(report.cases[0].evaluator_failures) == 1
    assert seen.events == [
        describe_own(Broken, error__type="ZeroDivisionError", otel_agentops__judge__revision=describe_revision(Broken))
    ]


def describe_revision(kind: type) -> str:
    return str(describe_own(kind)["attributes"]["otel_agentops.judge.revision"])


async def test_judge_whose_model_fails_has_no_revision(
    seen: Capture, provider: FakeProvider, model: OpenAIChatModel
) -> None:
    provider.script(Status(400))
    report = await evaluate(make_judge(model))
    (failure,) = report.cases[0].evaluator_failures
    (event,) = seen.events
    assert event["attributes"]["error.type"] == failure.error_message.partition(":")[0]
    assert "otel_agentops.judge.revision" not in event["attributes"]
    assert "gen_ai.evaluation.score.value" not in event["attributes"]


async def test_repeated_try_is_the_same_judgement(
    seen: Capture, provider: FakeProvider, model: OpenAIChatModel
) -> None:
    """A tenacity policy runs the evaluator again: two calls, one verdict."""
    provider.script(Status(400))
    await evaluate(make_judge(model), retry_evaluators={"stop": tenacity.stop_after_attempt(3), "reraise": True})
    assert seen.events == [describe_event(model)]
    assert list_judges(seen) == ["LLMJudge"] * 2


async def test_one_edit_moves_the_revision_and_no_other(seen: Capture, model: OpenAIChatModel) -> None:
    for judge in (make_judge(model), make_judge(model), make_judge(model, rubric="It is short.")):
        with otel_agentops.task("support") as task:
            await evaluate(judge)
        values = task.receipt().get("otel_agentops.task.values", [])
        assert [value.partition("/")[0] for value in values] == ["judge"]
    first, second, third = list_revisions(seen)
    assert first == second != third


async def test_direct_evaluation_is_a_judgement(seen: Capture, model: OpenAIChatModel) -> None:
    report = await evaluate(Quiet())
    case = report.cases[0]
    context = EvaluatorContext(
        name=case.name, inputs=case.inputs, metadata=None, expected_output="4", output="4", duration=0.1,
        _span_tree=None, attributes={}, metrics={},
    )  # fmt: skip
    await make_judge(model).evaluate_async(context)
    assert seen.events == [describe_event(model)]


async def test_uninstrumented_evaluator_passes(
    seen: Capture, instrumentor: Instrumentor, model: OpenAIChatModel
) -> None:
    instrumentor.uninstrument()
    await evaluate(make_judge(model))
    assert seen.events == []
    assert list_judges(seen) == [None]
