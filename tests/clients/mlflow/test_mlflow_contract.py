"""One call of a scorer is one judgement, whoever calls it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import mlflow
import pytest
from judgements import MODEL, RESOLVED, describe_judgement, list_revisions, write_prompt
from mlflow.entities import Feedback
from mlflow.exceptions import MlflowException
from mlflow.genai.judges import make_judge
from mlflow.genai.scorers import Guidelines, Scorer, scorer

import otel_agentops
from otel_agentops.judges.mlflow import Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Status

VERSION = importlib.metadata.version("mlflow")
URI = f"openai:/{MODEL}"
INSTRUCTIONS = "Is {{ outputs }} right for {{ inputs }}?"
CASE = {"inputs": {"question": "2 + 2?"}, "outputs": "4"}
YES = {"gen_ai__evaluation__score__label": "yes"}
PASSED = {"gen_ai__evaluation__score__value": 1.0}
pytestmark = pytest.mark.usefixtures("provider")


def make_scorer(**options: Any) -> Any:
    judge = {"name": "right", "instructions": INSTRUCTIONS, "model": URI, "feedback_value_type": Literal["yes", "no"]}
    return make_judge(**{**judge, **options})


def describe_event(instructions: str = INSTRUCTIONS, **more: Any) -> Record:
    parts = {
        "scorer": "mlflow.genai.judges.instructions_judge.InstructionsJudge",
        "version": VERSION,
        "feedback_value_type": "typing.Literal['yes', 'no']",
        "instructions": instructions,
    }
    rationale = {"rationale_first": False}
    options = {"model": URI, "prompt": write_prompt(parts), "resolved": [RESOLVED], "params": rationale}
    return describe_judgement("right", **{**options, **more})


@pytest.mark.parametrize("run", [lambda judge: judge(**CASE), lambda judge: judge.run(**CASE)], ids=["call", "run"])
def test_judge_is_one_judgement(seen: Capture, run: Callable[[Any], Any]) -> None:
    """The runner of evaluations runs a scorer in a thread of its own."""
    assert run(make_scorer()).value == "yes"
    assert seen.events == [describe_event(**YES)]


def test_evaluation_makes_one_judgement_of_each_row(
    seen: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes it half a minute to make
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.genai.evaluate(data=[CASE, CASE], scorers=[make_scorer()])
    assert seen.events == [describe_event(**YES)] * 2


def test_built_in_scorer_is_one_judgement(seen: Capture) -> None:
    for guidelines in ("Be kind.", "Be kind.", "Be short."):
        judge = Guidelines(name="kind", guidelines=guidelines, model=URI)
        assert judge(**CASE).value == "yes"
    facts = [event["attributes"] for event in seen.events]
    assert [each["otel_agentops.judge.model"] for each in facts] == [RESOLVED] * 3
    assert [each["gen_ai.evaluation.score.label"] for each in facts] == ["yes"] * 3
    assert {each["otel_agentops.judge.name"] for each in facts} == {"kind"}
    first, second, third = list_revisions(seen)
    assert first == second != third


def test_verdict_in_the_thread_of_the_runner_is_of_the_task(seen: Capture) -> None:
    with otel_agentops.task("answer") as task:
        make_scorer().run(**CASE)
        receipt = task.receipt()
    facts = {key: receipt[key] for key in ("otel_agentops.task.id", "otel_agentops.task.name")}
    assert seen.events == [describe_event(**YES, in_span=True, **facts)]


@pytest.mark.parametrize(
    "edit",
    [{"instructions": "Right? {{ outputs }}"}, {"inference_params": {"temperature": 0}}, {"feedback_value_type": bool}],
    ids=["instructions", "parameters", "type"],
)
def test_one_edit_moves_the_revision(seen: Capture, provider: FakeProvider, edit: dict[str, Any]) -> None:
    for options in ({}, {}, edit):
        if options == {"feedback_value_type": bool}:
            provider.answer(lambda call: Answer(text='{"result": true, "rationale": ""}'))
        make_scorer(**options)(**CASE)
    first, second, third = list_revisions(seen)
    assert first == second != third


def test_judge_whose_model_is_repointed_is_another(seen: Capture, provider: FakeProvider) -> None:
    later = "gpt-4o-2026-11-01"
    make_scorer()(**CASE)
    provider.alias(MODEL, later)
    make_scorer()(**CASE)
    assert seen.events == [describe_event(**YES), describe_event(**YES, resolved=[later])]


def test_judge_that_fails_has_an_error_and_no_score(seen: Capture, provider: FakeProvider) -> None:
    provider.script(Status(400))
    with pytest.raises(MlflowException):
        make_scorer()(**CASE)
    failed = {"error__type": "mlflow.exceptions.MlflowException", "otel_agentops__judge__revision": None}
    assert seen.events == [describe_event(resolved=[], **failed)]


def test_request_that_is_sent_again_is_the_same_judgement(seen: Capture, provider: FakeProvider) -> None:
    """A model that refuses a form of answers is asked without it."""
    refusal = Status(400, {"error": {"message": "response_format is not supported", "type": "x", "code": None}})
    provider.script(refusal)
    make_scorer()(**CASE)
    assert seen.events == [describe_event(**YES)]
    assert len(provider.requests) == 2


@scorer
def is_short(outputs: str) -> bool:
    return len(outputs) < 3


def describe_own(name: str, **more: Any) -> Record:
    parts = {"scorer": "mlflow.genai.scorers.base.scorer.<locals>.CustomScorer", "version": VERSION}
    function = {"function": f"{__name__}.{name}"}
    return describe_judgement(name, prompt=write_prompt({**parts, **function}), **more)


def test_function_is_a_judgement(seen: Capture) -> None:
    """One that was made a scorer before the instrumentation is seen when it is run."""
    assert is_short.run(outputs="4") is True
    assert seen.events == [describe_own("is_short", **PASSED)]


def test_function_gives_way_to_the_judge_that_it_asks(seen: Capture) -> None:
    @scorer
    def ask_judge(inputs: Any, outputs: str) -> Feedback:
        return make_scorer()(inputs=inputs, outputs=outputs)

    ask_judge.run(**CASE)
    assert seen.events == [describe_event(**YES)]


def test_function_gives_way_to_a_block_of_the_application(seen: Capture) -> None:
    @scorer
    def judge_in_a_block(outputs: str) -> float:
        with otel_agentops.judge("own", threshold=0.5) as verdict:
            verdict.score(0.25)
        return 0.25

    judge_in_a_block.run(outputs="4")
    assert seen.events == [describe_judgement("own", threshold=0.5, gen_ai__evaluation__score__value=0.25)]


class Lengths(Scorer):
    """A scorer of the application, with two feedbacks."""

    name: str = "lengths"
    limit: int = 3

    def __call__(self, *, outputs: str) -> list[Feedback]:
        return [Feedback("words", len(outputs.split())), Feedback("bad", error=ValueError("as scripted"))]


def test_scorer_with_several_feedbacks_gives_each_its_name(seen: Capture) -> None:
    Lengths().run(outputs="a b")
    prompt = write_prompt({"scorer": f"{__name__}.Lengths", "version": VERSION})
    options = {"prompt": prompt, "params": {"limit": 3}}
    words = {"gen_ai__evaluation__name": "words", "gen_ai__evaluation__score__value": 2.0}
    assert seen.events == [
        describe_judgement("lengths", **options, **words),
        describe_judgement("lengths", **options, error__type="ValueError"),
    ]


def test_scorer_without_a_result_is_no_judgement(seen: Capture) -> None:
    @scorer
    def has_no_opinion(outputs: str) -> None:
        return None

    has_no_opinion.run(outputs="4")
    assert seen.events == []


def test_uninstrumented_scorer_passes(seen: Capture, instrumentor: Instrumentor) -> None:
    instrumentor.uninstrument()
    assert make_scorer().run(**CASE).value == "yes"
    assert is_short.run(outputs="4") is True
    assert seen.events == []
