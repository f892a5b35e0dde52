"""One call of a scorer is one judgement, whoever made the scorer."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import openai
import pytest
from autoevals import Levenshtein, LLMClassifier
from autoevals.llm import ClosedQA
from autoevals.score import Score, Scorer
from both import done
from judgements import MODEL, RESOLVED, describe_judgement, list_judges, list_revisions, write_prompt

from otel_agentops.judges.autoevals import Instrumentor, describe_scorer
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

VERSION = importlib.metadata.version("autoevals")
TEMPLATE = "Is {{output}} right for {{input}}?"
PASSED = {"gen_ai__evaluation__score__value": 1.0, "gen_ai__evaluation__score__label": "good"}


def make_judge(client: Any, **options: Any) -> Any:
    judge = {"name": "Correct", "prompt_template": TEMPLATE, "choice_scores": {"good": 1, "bad": 0}, "model": MODEL}
    return LLMClassifier(**{**judge, "client": client, "temperature": 0, **options})


async def run(scorer: Any, *arguments: Any, **case: Any) -> Any:
    is_async = isinstance(getattr(scorer, "client", None), openai.AsyncOpenAI)
    return await done((scorer.eval_async if is_async else scorer.eval)(*arguments, **case))


def describe_event(scorer: Any, name: str = "Correct", **more: Any) -> Record:
    """Return the event of a classifier; its template and its choices are those of the test."""
    prompt, params = describe_scorer(scorer)
    assert TEMPLATE in prompt["messages"][0]["content"]
    assert (prompt["version"], prompt["choice_scores"]) == (VERSION, {"good": 1, "bad": 0})
    assert params == {"temperature": 0, **({"max_tokens": 512} if "max_tokens" in params else {})}
    text = write_prompt(prompt)
    return describe_judgement(
        name, **{"model": MODEL, "prompt": text, "resolved": [RESOLVED], "params": params, **more}
    )


async def test_classifier_is_one_judgement(seen: Capture, client: Any) -> None:
    judge = make_judge(client)
    score = await run(judge, "4", input="2 + 2")
    assert score.score == 1
    assert seen.events == [describe_event(judge, **PASSED)]
    assert list_judges(seen) == ["Correct"]


async def test_call_of_a_scorer_is_one_judgement(seen: Capture, provider: FakeProvider) -> None:
    judge = make_judge(openai.OpenAI(api_key="k", base_url=provider.openai_url))
    judge("4", input="2 + 2")
    assert seen.events == [describe_event(judge, **PASSED)]


async def test_partial_scorer_is_one_judgement_and_its_criteria_count(seen: Capture, client: Any) -> None:
    for criteria in ("Short?", "Short?", "Long?"):
        judge = ClosedQA.partial(criteria=criteria)(model=MODEL, client=client)
        judge.choice_scores = {"good": 1, "bad": 0}
        await run(judge, "4", input="2 + 2")
    first, second, third = list_revisions(seen)
    assert first == second != third
    assert [event["attributes"]["gen_ai.evaluation.name"] for event in seen.events] == ["ClosedQA"] * 3


def test_scorer_without_a_model_is_a_judgement(seen: Capture) -> None:
    Levenshtein()("abc", "abc")
    prompt = write_prompt({"scorer": f"{Levenshtein.__module__}.Levenshtein", "version": VERSION})
    assert seen.events == [describe_judgement("Levenshtein", prompt=prompt, gen_ai__evaluation__score__value=1.0)]


class Own(Scorer):
    """A scorer of the application, which has no opinion of an empty answer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def _run_eval_sync(self, output: Any, expected: Any = None, **kwargs: Any) -> Score:
        return Score("Own", min(len(output) / self.limit, 1.0) if output else None)


async def test_scorer_of_the_application_is_a_judgement(seen: Capture) -> None:
    await Own(8).eval_async("1234")
    prompt = write_prompt({"scorer": f"{Own.__module__}.Own", "version": VERSION})
    value = {"gen_ai__evaluation__score__value": 0.5}
    assert seen.events == [describe_judgement("Own", prompt=prompt, params={"limit": 8}, **value)]


def test_skipped_score_is_no_judgement(seen: Capture) -> None:
    Own(8).eval("")
    assert seen.events == []


async def test_judge_that_fails_has_an_error_and_no_score(seen: Capture, provider: FakeProvider, client: Any) -> None:
    judge = make_judge(client)
    provider.script(Status(400))
    with pytest.raises(openai.BadRequestError):
        await run(judge, "4", input="2 + 2")
    failed = {"error__type": "openai.BadRequestError", "otel_agentops__judge__revision": None}
    assert seen.events == [describe_event(judge, resolved=[], **failed)]


@pytest.mark.parametrize("edit", [{"prompt_template": "Right?"}, {"choice_scores": {"good": 1}}, {"temperature": 1}])
async def test_one_edit_moves_the_revision(seen: Capture, client: Any, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        await run(make_judge(client, **options), "4", input="2 + 2")
    first, second, third = list_revisions(seen)
    assert first == second != third


async def test_uninstrumented_scorer_passes(seen: Capture, instrumentor: Instrumentor, client: Any) -> None:
    instrumentor.uninstrument()
    await run(make_judge(client), "4", input="2 + 2")
    assert ClosedQA.partial.__self__ is ClosedQA, "a class method is put back as one"
    assert seen.events == []
    assert list_judges(seen) == [None]
