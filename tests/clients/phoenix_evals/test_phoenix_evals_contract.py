"""One evaluation of a record is one judgement; the library's own span of the model call stays the only one."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Callable
from typing import Any

import pandas
import pytest
from judgements import MODEL, RESOLVED, describe_judgement, list_judges, list_revisions, write_prompt
from phoenix.evals import ClassificationEvaluator, create_evaluator, evaluate_dataframe

from otel_agentops.judges.phoenix_evals import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Status

MakeJudge = Callable[..., ClassificationEvaluator]
VERSION = importlib.metadata.version("arize-phoenix-evals")
RECORD = {"input": "2 + 2", "output": "4"}
PARAMS = {"include_explanation": True, "direction": "maximize"}
PARTS = {
    "evaluator": f"{ClassificationEvaluator.__module__}.{ClassificationEvaluator.__qualname__}",
    "version": VERSION,
    "labels": ["good", "bad"],
    "label_score_map": {"good": 1.0, "bad": 0.0},
    "prompt_template": "Is {output} right for {input}?",
}
PASSED = {"gen_ai__evaluation__score__value": 1.0, "gen_ai__evaluation__score__label": "good"}


def describe_event(**more: Any) -> Record:
    return describe_judgement(
        "Correct",
        **{"model": MODEL, "prompt": write_prompt(PARTS), "resolved": [RESOLVED], "params": PARAMS, **PASSED, **more},
    )


def sum_tokens(seen: Capture) -> int:
    """Return the input tokens of all spans, in anybody's words."""
    keys = ("gen_ai.usage.input_tokens", "llm.token_count.prompt")
    return sum(span["attributes"].get(key, 0) for span in seen.spans for key in keys)


def test_evaluate_is_one_judgement(seen: Capture, make_judge: MakeJudge) -> None:
    (score,) = make_judge().evaluate(RECORD)
    assert score.label == "good"
    assert seen.events == [describe_event()]


async def test_async_evaluate_is_one_judgement(seen: Capture, make_judge: MakeJudge) -> None:
    judge = make_judge()
    await asyncio.gather(judge.async_evaluate(RECORD), judge.async_evaluate(RECORD))
    assert seen.events == [describe_event()] * 2


def test_data_frame_makes_one_judgement_of_each_row(seen: Capture, make_judge: MakeJudge) -> None:
    evaluate_dataframe(dataframe=pandas.DataFrame([RECORD] * 3), evaluators=[make_judge()])
    assert seen.events == [describe_event()] * 3


@pytest.mark.parametrize("is_async", [False, True])
def test_model_call_has_one_span_and_its_tokens_once(seen: Capture, make_judge: MakeJudge, is_async: bool) -> None:
    """The span is the library's; ours would count the tokens again."""
    judge = make_judge()
    if is_async:
        asyncio.run(judge.async_evaluate(RECORD))
    else:
        judge.evaluate(RECORD)
    calls = [span for span in seen.spans if "gen_ai.response.model" in span["attributes"]]
    assert [call["attributes"]["otel_agentops.judge.name"] for call in calls] == ["Correct"]
    assert sum_tokens(seen) == calls[0]["attributes"]["gen_ai.usage.input_tokens"]
    assert not any(span["name"].startswith("chat ") for span in seen.spans)


def test_function_is_an_evaluator_without_a_model(seen: Capture) -> None:
    @create_evaluator(name="length", kind="code")
    def measure(output: str) -> float:
        return float(len(output))

    measure.evaluate({"output": "four"})
    (event,) = seen.events
    assert event["attributes"]["gen_ai.evaluation.score.value"] == 4.0
    assert event["attributes"]["otel_agentops.judge.name"] == "length"
    assert "otel_agentops.judge.model" not in event["attributes"]


def test_judge_that_fails_has_an_error_and_no_score(
    seen: Capture, provider: FakeProvider, make_judge: MakeJudge
) -> None:
    judge = make_judge()
    provider.script(*[Status(400)] * 4)  # each way to ask for an object
    with pytest.raises(Exception) as raised:
        judge.evaluate(RECORD)
    (event,) = seen.events
    kind = type(raised.value)
    assert event["attributes"]["error.type"].endswith(kind.__qualname__)
    assert "otel_agentops.judge.revision" not in event["attributes"]
    assert "gen_ai.evaluation.score.value" not in event["attributes"]


@pytest.mark.skipif(VERSION.startswith("3.0."), reason="it asks once")
def test_second_way_to_ask_is_the_same_judgement(seen: Capture, provider: FakeProvider, make_judge: MakeJudge) -> None:
    """A model that refuses one form is asked for another."""
    judge = make_judge()
    provider.script(Status(400))
    judge.evaluate(RECORD)
    assert seen.events == [describe_event()]
    assert len([mark for mark in list_marks(seen) if mark == "Correct"]) == 2


def list_marks(seen: Capture) -> list[Any]:
    """Return the judge on each span that has a count of tries."""
    spans = [span["attributes"] for span in seen.spans]
    return [each.get("otel_agentops.judge.name") for each in spans if "otel_agentops.attempt.count" in each]


def test_label_that_is_no_choice_is_a_failed_judgement(
    seen: Capture, provider: FakeProvider, make_judge: MakeJudge
) -> None:
    provider.answer(lambda call: Answer(text='{"label": "other", "explanation": "as scripted"}'))
    with pytest.raises(ValueError, match="invalid label"):
        make_judge().evaluate(RECORD)
    (event,) = seen.events
    assert event["attributes"]["error.type"] == "ValueError"


@pytest.mark.parametrize(
    "edit",
    [{"prompt_template": "Right? {output}"}, {"choices": ["good", "bad"]}, {"temperature": 0.5}, {"name": "Right"}],
)
def test_one_edit_moves_the_revision(seen: Capture, make_judge: MakeJudge, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        make_judge(**options).evaluate(RECORD)
    first, second, third = list_revisions(seen)
    assert first == second
    assert (third != first) is ("name" not in edit), "the name is no part of the revision"


def test_uninstrumented_evaluator_passes(seen: Capture, instrumentor: Instrumentor, make_judge: MakeJudge) -> None:
    instrumentor.uninstrument()
    make_judge().evaluate(RECORD)
    assert seen.events == []
    assert not any("otel_agentops.judge.name" in span["attributes"] for span in seen.spans)
    assert set(list_judges(seen)) <= {None}
