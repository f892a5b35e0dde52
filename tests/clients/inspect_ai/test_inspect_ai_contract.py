"""One score of a sample by a scorer is one judgement; the model that is evaluated is none of the judge's."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, accuracy, match, model_graded_qa, scorer
from inspect_ai.solver import generate, solver
from judgements import MODEL, RESOLVED, describe_judgement, list_judges, list_revisions, write_prompt

from otel_agentops.judges.inspect_ai import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer

VERSION = importlib.metadata.version("inspect-ai")
GRADER = f"openai/{MODEL}"
CORRECT = {"gen_ai__evaluation__score__label": "C"}
pytestmark = pytest.mark.usefixtures("provider")


@solver
def answer_question() -> Any:
    async def solve(state: Any, generate: Any) -> Any:
        state.output = ModelOutput.from_content("mockllm/model", "It is 4.")
        return state

    return solve


def evaluate(
    folder: Path, *scorers: Any, samples: int = 1, solve: Any = answer_question, model: str = "mockllm/model"
) -> EvalLog:
    """Evaluate answers; the default solver asks no model."""
    data = [Sample(input="2 + 2", target="4", id=number) for number in range(samples)]
    task = inspect_ai.Task(data, solver=solve(), scorer=list(scorers))
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(folder), display="none")
    return log


def describe_event(arguments: Record | None = None, **more: Any) -> Record:
    parts = {"scorer": "inspect_ai/model_graded_qa", "version": VERSION, **(arguments or {})}
    options = {"model": GRADER, "prompt": write_prompt(parts), "resolved": [RESOLVED]}
    return describe_judgement("model_graded_qa", **{**options, **more})


def test_score_is_one_judgement_of_each_sample(seen: Capture, tmp_path: Path) -> None:
    log = evaluate(tmp_path, model_graded_qa(model=GRADER), samples=2)
    assert log.status == "success", log.error
    assert seen.events == [describe_event(**CORRECT)] * 2
    assert list_judges(seen) == ["model_graded_qa"] * 2


def test_call_of_the_evaluated_model_has_no_judge(seen: Capture, tmp_path: Path) -> None:
    evaluate(tmp_path, model_graded_qa(model=GRADER), solve=generate, model=GRADER)
    assert list_judges(seen) == [None, "model_graded_qa"]


def test_log_that_is_scored_later_is_a_judgement_each(seen: Capture, tmp_path: Path) -> None:
    log = evaluate(tmp_path, match())
    seen.clear()
    inspect_ai.score(log, model_graded_qa(model=GRADER), display="none")
    assert seen.events == [describe_event(**CORRECT)]


def test_several_graders_are_one_judgement(seen: Capture, tmp_path: Path) -> None:
    evaluate(tmp_path, model_graded_qa(model=[GRADER, GRADER, GRADER]))
    expected = describe_event({"model": [GRADER] * 3}, model=None, **CORRECT)
    assert seen.events == [expected]
    assert list_judges(seen) == ["model_graded_qa"] * 3


@pytest.mark.parametrize(
    "edit",
    [{"template": "Right? {question} {answer} {criterion} {instructions}"}, {"partial_credit": True}],
    ids=["template", "parameter"],
)
def test_one_edit_moves_the_revision(seen: Capture, tmp_path: Path, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        evaluate(tmp_path, model_graded_qa(model=GRADER, **options))
    first, second, third = list_revisions(seen)
    assert first == second != third


@scorer(metrics=[accuracy()])
def break_down() -> Any:
    async def score(state: Any, target: Any) -> Score:
        raise ZeroDivisionError

    return score


def test_judge_that_fails_has_an_error_and_no_score(seen: Capture, tmp_path: Path) -> None:
    assert evaluate(tmp_path, break_down()).status == "error"
    prompt = write_prompt({"scorer": "break_down", "version": VERSION})
    assert seen.events == [describe_judgement("break_down", prompt=prompt, error__type="ZeroDivisionError")]


def test_grader_without_a_grade_is_counted(seen: Capture, provider: FakeProvider, tmp_path: Path) -> None:
    provider.answer(lambda call: Answer(text="I do not know."))
    evaluate(tmp_path, model_graded_qa(model=GRADER))
    is_told = "reason" in Score.model_fields  # older versions grade the answer as incorrect instead
    expected = {"error__type": "grader_failed"} if is_told else {"gen_ai__evaluation__score__label": "I"}
    assert seen.events == [describe_event(**expected)]


def test_scorer_without_a_model_is_a_judgement(seen: Capture, tmp_path: Path) -> None:
    evaluate(tmp_path, match())
    prompt = write_prompt({"scorer": "inspect_ai/match", "version": VERSION})
    assert seen.events == [describe_judgement("match", prompt=prompt, **CORRECT)]


@scorer(metrics={"words": [accuracy()], "kind": [accuracy()]})
def measure(limit: int = 3) -> Any:
    async def score(state: Any, target: Any) -> Score | None:
        return Score(value={"words": len(state.output.completion.split()), "kind": "C"}) if limit else None

    return score


def test_scorer_with_several_values_gives_each_its_name(seen: Capture, tmp_path: Path) -> None:
    log = evaluate(tmp_path, measure(limit=2))
    words = log.samples[0].scores["measure"].value["words"]
    options = {"prompt": write_prompt({"scorer": "measure", "version": VERSION}), "params": {"limit": 2}}
    first = {"gen_ai__evaluation__name": "words", "gen_ai__evaluation__score__value": float(words)}
    second = {"gen_ai__evaluation__name": "kind", **CORRECT}
    assert seen.events == [describe_judgement("measure", **options, **each) for each in (first, second)]


def test_scorer_that_does_not_apply_is_no_judgement(seen: Capture, tmp_path: Path) -> None:
    evaluate(tmp_path, measure(limit=0))
    assert seen.events == []


def test_uninstrumented_scorer_passes(seen: Capture, instrumentor: Instrumentor, tmp_path: Path) -> None:
    instrumentor.uninstrument()
    evaluate(tmp_path, model_graded_qa(model=GRADER))
    assert seen.events == []
    assert list_judges(seen) == [None]
