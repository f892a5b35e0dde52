"""One call of an evaluator is one judgement, with the configuration that the application gave when it was made."""

from __future__ import annotations

import importlib.metadata
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import openai
import pytest
from both import done
from judgements import MODEL, RESOLVED, answer_in_form, describe_judgement, list_judges, list_revisions, write_prompt
from langchain_openai import ChatOpenAI
from langsmith.evaluation import run_evaluator
from langsmith.schemas import Run
from openevals.exact import exact_match
from openevals.llm import create_async_llm_as_judge, create_llm_as_judge
from openevals.trajectory.llm import create_trajectory_llm_as_judge

from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.judges.langsmith import Instrumentor as LangsmithInstrumentor
from otel_agentops.judges.openevals import Instrumentor
from otel_agentops.testing import Capture, Record, capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Status

VERSION = importlib.metadata.version("openevals")
TEMPLATE = "Is {outputs} right for {inputs}?"
CASE = {"inputs": "2 + 2", "outputs": "4"}
PASSED = {"gen_ai__evaluation__score__value": 1.0}
PARAMS = {"continuous": False, "use_reasoning": True}


def make_evaluator(client: Any, **options: Any) -> Any:
    create = create_async_llm_as_judge if isinstance(client, openai.AsyncOpenAI) else create_llm_as_judge
    return create(**{"prompt": TEMPLATE, "feedback_key": "right", "judge": client, "model": MODEL, **options})


def describe_event(client: Any, prompt: str = TEMPLATE, **more: Any) -> Record:
    function = "_create_llm_as_judge_scorer.<locals>.get_score"
    if isinstance(client, openai.AsyncOpenAI):
        function = "_create_async_llm_as_judge_scorer.<locals>.aget_score"
    text = write_prompt({"scorer": f"openevals.llm.{function}", "version": VERSION, "prompt": prompt})
    options = {"model": MODEL, "prompt": text, "resolved": [RESOLVED], "params": PARAMS}
    return describe_judgement("right", **{**options, **more})


async def test_call_of_an_evaluator_is_one_judgement(seen: Capture, client: Any) -> None:
    result = await done(make_evaluator(client)(**CASE))
    assert result["score"] is True
    assert seen.events == [describe_event(client, **PASSED)]
    assert list_judges(seen) == ["right"]


async def test_provider_in_the_name_of_a_model_is_no_edit(seen: Capture, client: Any) -> None:
    """The library takes it away in the first call."""
    evaluator = make_evaluator(client, model=f"openai:{MODEL}")
    await done(evaluator(**CASE))
    await done(evaluator(**CASE))
    assert seen.events == [describe_event(client, **PASSED)] * 2


def test_chat_model_of_langchain_is_a_judge(seen: Capture, provider: FakeProvider) -> None:
    model = ChatOpenAI(model=MODEL, api_key="k", base_url=provider.openai_url, max_retries=0)
    create_llm_as_judge(prompt=TEMPLATE, feedback_key="right", judge=model)(**CASE)
    assert seen.events == [describe_event(None, **PASSED)]
    assert list_judges(seen) == ["right"]


@pytest.mark.parametrize(
    "edit",
    [
        {"prompt": "Right? {outputs}"},
        {"system": "You judge."},
        {"choices": [0.0, 1.0]},
        {"few_shot_examples": [{"inputs": "1", "outputs": "2", "score": True}]},
        {"use_reasoning": False},
    ],
    ids=lambda edit: next(iter(edit)),
)
async def test_one_edit_moves_the_revision(seen: Capture, client: Any, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        await done(make_evaluator(client, **options)(**CASE))
    first, second, third = list_revisions(seen)
    assert first == second != third


async def test_judge_that_fails_has_an_error_and_no_score(seen: Capture, provider: FakeProvider, client: Any) -> None:
    provider.script(Status(400))
    with pytest.raises(openai.BadRequestError):
        await done(make_evaluator(client)(**CASE))
    failed = {"error__type": "openai.BadRequestError", "otel_agentops__judge__revision": None}
    assert seen.events == [describe_event(client, resolved=[], **failed)]


async def test_answer_in_a_form_of_the_application_has_its_score(
    seen: Capture, provider: FakeProvider, client: Any
) -> None:
    for answer in ('{"score": 0.5, "why": ""}', '{"grade": "A"}'):
        provider.answer(lambda call, answer=answer: answer_in_form(call, answer))
        await done(make_evaluator(client, output_schema={"type": "object", "properties": {}})(**CASE))
    (event,) = seen.events
    assert event["attributes"]["gen_ai.evaluation.score.value"] == 0.5


def test_evaluator_of_a_trajectory_is_one_judgement(seen: Capture, provider: FakeProvider) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    evaluator = create_trajectory_llm_as_judge(prompt=TEMPLATE, feedback_key="right", judge=client, model=MODEL)
    evaluator(outputs=[{"role": "user", "content": "2 + 2"}], inputs="2 + 2")
    assert seen.events == [describe_event(client, **PASSED)]


def test_evaluator_without_a_model_is_a_judgement(seen: Capture) -> None:
    """The judged case is no part of its prompt."""
    for outputs in ("4", "5"):
        exact_match(outputs=outputs, reference_outputs="4")
    text = write_prompt({"scorer": "openevals.exact.exact_match.<locals>.get_score", "version": VERSION})
    assert seen.events == [
        describe_judgement("exact_match", prompt=text, gen_ai__evaluation__score__value=value) for value in (1.0, 0.0)
    ]


async def test_evaluator_that_langsmith_runs_is_one_judgement(client: Any) -> None:
    """LangSmith makes an evaluator of its own of the function, and that gives way."""
    run = Run(
        id=uuid4(),
        name="answer",
        run_type="chain",
        start_time=datetime.now(timezone.utc),
        inputs={"question": "2 + 2"},
        outputs={"answer": "4"},
    )
    evaluator = run_evaluator(make_evaluator(client))
    with capture(OpenAIInstrumentor(), Instrumentor(), LangsmithInstrumentor()) as seen:
        result = await evaluator.aevaluate_run(run) if evaluator.is_async else evaluator.evaluate_run(run)
    assert (result.key, result.score) == ("right", True)
    assert seen.events == [describe_event(client, **PASSED)]


async def test_uninstrumented_evaluator_passes(seen: Capture, instrumentor: Instrumentor, client: Any) -> None:
    instrumentor.uninstrument()
    await done(make_evaluator(client)(**CASE))
    assert seen.events == []
    assert list_judges(seen) == [None]
