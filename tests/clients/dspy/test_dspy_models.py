"""A class of models that a program wrote is observed by DSPy itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dspy_models import library
from house_calls import ANSWER, TOKENS, check_house_run

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider

TEXT = f"[[ ## answer ## ]]\n{ANSWER}\n\n[[ ## completed ## ]]"


class House(library.BaseLM):  # type: ignore[misc]
    """A model of the program."""

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        message = SimpleNamespace(content=TEXT, tool_calls=None)
        choice = SimpleNamespace(message=message, finish_reason="stop")
        usage = {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1]}
        return SimpleNamespace(choices=[choice], usage=usage, model="house-1-2026-03-01")


class Weather(library.Module):  # type: ignore[misc]
    """A program of one question."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = library.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.ask(question=question)


def test_model_of_a_program_is_counted(seen: Capture) -> None:
    with library.context(lm=House("house-1", temperature=0.2)):
        assert Weather()(question="What is the weather?").answer == ANSWER
    (span,) = check_house_run(seen, "Weather")
    assert span["attributes"]["gen_ai.response.model"] == "house-1-2026-03-01"


@pytest.mark.skipif(not hasattr(library, "lm15"), reason="dspy before 3.4 has no engines")
def test_engine_of_a_program_is_counted(seen: Capture) -> None:
    lm15 = library.lm15

    class Engine:
        """An engine of the program."""

        def complete(self, request: Any) -> Any:
            usage = lm15.Usage(input_tokens=TOKENS[0], output_tokens=TOKENS[1])
            answer = lm15.Message.assistant([lm15.TextPart(TEXT)])
            return lm15.Response(
                id="answer-1", model="house-1-2026-03-01", message=answer, finish_reason="stop", usage=usage
            )

    with library.context(lm=library.LM("house/house-1", engine=Engine(), cache=False)):
        assert Weather()(question="What is the weather?").answer == ANSWER
    (span,) = check_house_run(seen, "Weather")
    assert (span["name"], span["attributes"]["gen_ai.response.id"]) == ("chat house/house-1", "answer-1")


def test_client_inside_has_the_only_call(provider: FakeProvider, seen: Capture) -> None:
    provider.answer(lambda call: Answer(TEXT))
    Weather()(question="What is the weather?")
    root = seen.spans[-1]["attributes"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("llm_calls", "input_tokens")] == [1, 11]
