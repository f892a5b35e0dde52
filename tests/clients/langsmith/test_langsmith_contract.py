"""One run of an evaluator in an experiment is one judgement; what it asks on the way belongs to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import openai
import pytest
from both import done
from judgements import MODEL, RESOLVED, describe_judgement, list_judges, list_revisions, write_prompt
from langsmith import Client
from langsmith.evaluation import EvaluationResult, RunEvaluator, aevaluate, evaluate
from langsmith.evaluation.evaluator import comparison_evaluator
from langsmith.schemas import Run
from langsmith_server import DATASET, LangsmithServer

import otel_agentops
from otel_agentops.judges.langsmith import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

HALF = {"gen_ai__evaluation__score__value": 0.5}
PASSED = {"gen_ai__evaluation__score__value": 1.0}


async def run_experiment(kind: str, server: LangsmithServer, *evaluators: Any, target: Any = None) -> list[Any]:
    """Run an experiment over the only question; the results that LangSmith returns are of its only run."""
    options: Any = {"data": DATASET, "evaluators": evaluators, "client": Client(api_url=server.url, api_key="k")}

    def answer(inputs: dict[str, Any]) -> dict[str, str]:
        return {"answer": "4"}

    async def answer_later(inputs: dict[str, Any]) -> dict[str, str]:
        return {"answer": "4"}

    if kind == "sync":
        (row,) = await asyncio.to_thread(evaluate_in_a_script, target or answer, **options)
    else:
        (row,) = [row async for row in await aevaluate(target or answer_later, **options)]
    return row["evaluation_results"]["results"]


def evaluate_in_a_script(target: Any, **options: Any) -> list[Any]:
    """Evaluate where a loop exists, as older versions want it for async functions, and none runs."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return list(evaluate(target, **options))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def ask(client: Any, text: str, rubric: str = "You judge.") -> Any:
    messages: Any = [{"role": "system", "content": rubric}, {"role": "user", "content": text}]
    return client.chat.completions.create(model=MODEL, messages=messages)


def make_judge(client: Any, rubric: str = "You judge.") -> Callable[..., Any]:
    """Make an evaluator that asks a model, of the client's kind."""

    def grade(outputs: dict[str, Any]) -> float:
        return float(ask(client, outputs["answer"], rubric).choices[0].message.content)

    async def grade_later(outputs: dict[str, Any]) -> float:
        return float((await ask(client, outputs["answer"], rubric)).choices[0].message.content)

    return grade_later if isinstance(client, openai.AsyncOpenAI) else grade


def describe_event(function: Callable[..., Any], **more: Any) -> Record:
    """Return the event of an evaluator that was made of a function."""
    prompt = write_prompt({"function": f"{function.__module__}.{function.__qualname__}"})
    return describe_judgement(function.__name__, prompt=prompt, **more)


def is_right(run: Any, example: Any) -> Record:
    return {"score": run.outputs == example.outputs, "comment": "as expected"}


def is_equal(outputs: Record, reference_outputs: Record) -> bool:
    return outputs == reference_outputs


async def is_equal_later(outputs: Record, reference_outputs: Record) -> bool:
    return outputs == reference_outputs


@pytest.mark.parametrize("evaluator", [is_right, is_equal, is_equal_later])
async def test_function_of_an_experiment_is_one_judgement(
    seen: Capture, server: LangsmithServer, kind: str, evaluator: Callable[..., Any]
) -> None:
    (result,) = await run_experiment(kind, server, evaluator)
    assert (result.key, result.score) == (evaluator.__name__, True)
    assert server.feedback == [(evaluator.__name__, True, None)]
    assert seen.events == [describe_event(evaluator, **PASSED)]


async def test_call_of_a_function_belongs_to_it(seen: Capture, server: LangsmithServer, client: Any, kind: str) -> None:
    judge = make_judge(client)

    def answer(inputs: Record) -> Record:
        return {"answer": ask(client, "2 + 2").choices[0].message.content}

    async def answer_later(inputs: Record) -> Record:
        return {"answer": (await ask(client, "2 + 2")).choices[0].message.content}

    await run_experiment(kind, server, judge, target=answer if kind == "sync" else answer_later)
    assert seen.events == [describe_event(judge, resolved=[RESOLVED], **HALF)]
    assert list_judges(seen) == [None, judge.__name__]


async def test_sync_function_of_an_async_experiment_has_its_calls(
    seen: Capture, server: LangsmithServer, provider: FakeProvider
) -> None:
    """The library runs it in a thread."""
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    judge = make_judge(client)
    await run_experiment("async", server, judge)
    assert seen.events == [describe_event(judge, resolved=[RESOLVED], **HALF)]
    assert list_judges(seen) == [judge.__name__]


async def test_rubric_that_is_sent_is_a_part_of_the_revision(
    seen: Capture, server: LangsmithServer, client: Any, kind: str
) -> None:
    """It counts from the third verdict on, as in a block of the application."""
    for rubric in ["You judge."] * 4 + ["You judge hard."] * 4:
        await run_experiment(kind, server, make_judge(client, rubric))
    first, second, third, fourth, *_, seventh, eighth = list_revisions(seen)
    assert first == second
    assert third == fourth != first
    assert seventh == eighth != fourth


class Length(RunEvaluator):
    """An evaluator of the application, by its configuration."""

    def __init__(self, unit: str, limit: int) -> None:
        self.unit, self.limit = unit, limit
        self.calls = 0  # no part of the configuration

    def evaluate_run(self, run: Any, example: Any = None, evaluator_run_id: Any = None) -> EvaluationResult:
        self.calls += 1
        return EvaluationResult(key="short", score=len(run.outputs["answer"]) < self.limit)


async def test_object_of_a_class_is_judged_by_its_settings(seen: Capture, server: LangsmithServer, kind: str) -> None:
    evaluator = Length("letters", 3)
    await run_experiment(kind, server, evaluator)
    await run_experiment(kind, server, evaluator)
    prompt = write_prompt({"class": f"{__name__}.Length", "unit": "letters"})
    expected = describe_judgement(
        "Length", prompt=prompt, params={"limit": 3}, gen_ai__evaluation__name="short", **PASSED
    )
    assert seen.events == [expected] * 2


async def test_each_of_several_results_has_its_name(seen: Capture, server: LangsmithServer, kind: str) -> None:
    def grade(run: Any, example: Any) -> Record:
        return {"results": [{"key": "short", "score": 0.5}, {"key": "tone", "value": "polite"}]}

    await run_experiment(kind, server, grade)
    assert seen.events == [
        describe_event(grade, gen_ai__evaluation__name="short", **HALF),
        describe_event(grade, gen_ai__evaluation__name="tone", gen_ai__evaluation__score__label="polite"),
    ]


async def test_no_result_says_that_it_does_not_apply(seen: Capture, server: LangsmithServer, kind: str) -> None:
    def grade(run: Any, example: Any) -> Record:
        return {"results": []}

    assert await run_experiment(kind, server, grade) == []
    assert seen.events == []


async def test_result_without_a_verdict_is_counted(seen: Capture, server: LangsmithServer, kind: str) -> None:
    def grade(run: Any, example: Any) -> Record:
        return {"score": None, "comment": "no idea"}

    await run_experiment(kind, server, grade)
    assert seen.events == [describe_event(grade, error__type="no_verdict")]


async def test_judge_that_fails_has_an_error_and_no_score(
    seen: Capture, server: LangsmithServer, provider: FakeProvider, client: Any, kind: str
) -> None:
    """The experiment goes on, and LangSmith keeps the error."""
    client.max_retries = 0
    provider.script(Status(400))
    judge = make_judge(client)
    await run_experiment(kind, server, judge, is_equal)
    failed = {"error__type": "openai.BadRequestError", "otel_agentops__judge__revision": None}
    assert seen.events == [describe_event(judge, **failed), describe_event(is_equal, **PASSED)]


async def test_function_gives_way_to_a_block_of_the_application(
    seen: Capture, server: LangsmithServer, kind: str
) -> None:
    def grade(run: Any, example: Any) -> bool:
        with otel_agentops.judge("own", prompt="You judge.") as verdict:
            verdict.score(1.0)
        return True

    await run_experiment(kind, server, grade)
    assert seen.events == [describe_judgement("own", prompt="You judge.", **PASSED)]


async def test_comparison_is_no_verdict_and_has_its_calls(seen: Capture, client: Any) -> None:
    def rank(runs: Any, example: Any) -> list[int]:
        ask(client, "which?")
        return [1, 0]

    async def rank_later(runs: Any, example: Any) -> list[int]:
        await ask(client, "which?")
        return [1, 0]

    runs = [
        Run(id=uuid4(), name="answer", start_time=datetime.now(timezone.utc), run_type="chain", inputs={})
        for _ in range(2)
    ]
    is_async = isinstance(client, openai.AsyncOpenAI)
    comparator = comparison_evaluator(rank_later if is_async else rank)
    result = await done(comparator.acompare_runs(runs) if is_async else comparator.compare_runs(runs))
    assert list(result.scores.values()) == [1, 0]
    assert seen.events == []
    assert list_judges(seen) == ["rank_later" if is_async else "rank"]


async def test_uninstrumented_evaluator_passes(
    seen: Capture, server: LangsmithServer, instrumentor: Instrumentor, client: Any, kind: str
) -> None:
    instrumentor.uninstrument()
    await run_experiment(kind, server, make_judge(client), Length("letters", 3))
    assert seen.events == []
    assert list_judges(seen) == [None]
