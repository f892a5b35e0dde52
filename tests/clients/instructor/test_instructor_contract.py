"""A call that instructor makes again, because an answer did not fit the model, is a re-ask and no first call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anthropic
import instructor
import openai
import pytest
from documented_starts import point_clients_to, run_start
from instructor.core import InstructorRetryException
from pydantic import BaseModel, field_validator
from tenacity import Retrying, stop_after_attempt

import otel_agentops
from otel_agentops.frameworks.instructor import LIBRARY, Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, Status, ToolCall

AGAIN = {"otel_agentops.retry.level": "model", "otel_agentops.retry.cause": "invalid_output"}
REPEATED = {"otel_agentops.retry.level": "application", "otel_agentops.retry.cause": "openai.RateLimitError"}
ASK: Any = [{"role": "user", "content": "How is it in Oslo?"}]
Way = Callable[[FakeProvider, int], Any]


class Weather(BaseModel):
    """The weather."""

    city: str
    degrees: int

    @field_validator("degrees")
    @classmethod
    def check_degrees(cls, degrees: int) -> int:
        if degrees > 60:
            raise ValueError("too warm")
        return degrees


def refuse_first(provider: FakeProvider, count: int) -> None:
    """Let the model give so many answers that do not fit, and then one that does."""
    degrees = iter([*[99] * count, *[-3] * 9])

    def answer(call: Call) -> Answer:
        arguments = json.dumps({"city": "Oslo", "degrees": next(degrees)})
        return (
            Answer(text="", tool_calls=(ToolCall("Weather", arguments),)) if "tools" in call.body else Answer(arguments)
        )

    provider.answer(answer)


def open_openai(
    provider: FakeProvider, mode: instructor.Mode = instructor.Mode.TOOLS, make: Any = openai.OpenAI
) -> Any:
    return instructor.from_openai(make(base_url=provider.openai_url, api_key="k", max_retries=0), mode=mode)


def ask(client: Any, retries: int, **options: Any) -> Any:
    options = {"model": "gpt-x", "messages": ASK, "response_model": Weather, "max_retries": retries, **options}
    return client.chat.completions.create(**options)


def ask_with_tools(provider: FakeProvider, retries: int) -> Any:
    return ask(open_openai(provider), retries)


def ask_for_json(provider: FakeProvider, retries: int) -> Any:
    return ask(open_openai(provider, instructor.Mode.JSON), retries)


def ask_async(provider: FakeProvider, retries: int) -> Any:
    return asyncio.run(ask(open_openai(provider, make=openai.AsyncOpenAI), retries))


def ask_claude(provider: FakeProvider, retries: int) -> Any:
    client = anthropic.Anthropic(base_url=provider.anthropic_url, api_key="k", max_retries=0)
    return ask(instructor.from_anthropic(client), retries, max_tokens=99)


every_way = pytest.mark.parametrize("run", [ask_with_tools, ask_for_json, ask_async, ask_claude])


def list_marks(seen: Capture) -> list[dict[str, Any]]:
    """Return what each model call of the task is a retry of."""
    *calls, _ = seen.spans
    return [{key: value for key, value in span["attributes"].items() if ".retry." in key} for span in calls]


@every_way
@pytest.mark.parametrize("refused", [0, 1, 2])
def test_answer_that_does_not_fit_is_asked_for_again(
    provider: FakeProvider, seen: Capture, run: Way, refused: int
) -> None:
    refuse_first(provider, refused)
    with otel_agentops.task("weather"):
        assert run(provider, 3).degrees == -3
    root = seen.spans[-1]["attributes"]
    assert list_marks(seen) == [{}] + [AGAIN] * refused
    assert root.get("otel_agentops.task.model_retries", 0) == refused
    assert root["otel_agentops.task.llm_calls"] == 1 + refused
    points = [(point["attributes"]["otel_agentops.retry.level"], point["value"]) for point in list_retries(seen)]
    assert points == ([("model", refused)] if refused else [])
    assert seen.problems == []


def list_retries(seen: Capture) -> list[dict[str, Any]]:
    return seen.metrics.get("otel_agentops.retries", [])


@every_way
def test_call_that_is_given_up_leaves_nothing_behind(provider: FakeProvider, seen: Capture, run: Way) -> None:
    refuse_first(provider, 2)
    with otel_agentops.task("weather"):
        with pytest.raises(InstructorRetryException):
            run(provider, 1)
        assert run(provider, 0).city == "Oslo"
    assert list_marks(seen) == [{}, AGAIN, {}]


def test_request_that_is_refused_is_a_retry_of_the_application(provider: FakeProvider, seen: Capture) -> None:
    refuse_first(provider, 2)  # the first of them is that of the refused request
    provider.script(Status(429))
    with otel_agentops.task("weather"):
        assert ask(open_openai(provider), Retrying(stop=stop_after_attempt(4))).city == "Oslo"  # type: ignore[arg-type]
    assert list_marks(seen) == [{}, REPEATED, AGAIN]


def test_parallel_calls_are_told_apart(provider: FakeProvider, seen: Capture) -> None:
    client = open_openai(provider, make=openai.AsyncOpenAI)

    def answer(call: Call) -> Answer:
        is_warm = "warm" in str(call.body["messages"]) and len(call.body["messages"]) == 1
        return Answer(text="", tool_calls=(ToolCall("Weather", json.dumps({"city": "Oslo", "degrees": 99 * is_warm})),))

    async def ask_all() -> None:
        questions = [[{"role": "user", "content": word}] for word in ("cold", "warm", "cool", "warm?")]
        with otel_agentops.task("weather"):
            await asyncio.gather(*(ask(client, 2, messages=question) for question in questions))

    provider.answer(answer)
    asyncio.run(ask_all())
    assert sorted(map(len, list_marks(seen))) == [0, 0, 0, 0, 2, 2]
    assert seen.spans[-1]["attributes"]["otel_agentops.task.model_retries"] == 2


def test_uninstrumented_call_is_itself_again(provider: FakeProvider, seen: Capture) -> None:
    """The answer is a success for the client, so that without the adapter nothing tells a re-ask from a first call."""
    assert len(LIBRARY.patches) == len(LIBRARY.targets)
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    refuse_first(provider, 1)
    with otel_agentops.task("weather"):
        assert ask_with_tools(provider, 2).city == "Oslo"
    assert list_marks(seen) == [{}, {}]


def test_documented_start_is_a_task(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    class Order(BaseModel):
        number: int

    point_clients_to(provider, monkeypatch)
    numbers = iter(("none", 4711))
    provider.answer(lambda _: Answer("", (ToolCall("Order", json.dumps({"number": next(numbers)})),)))
    run_start("instructor", Order=Order, messages=ASK)
    first, again, root = seen.spans
    assert root["name"] == "invoke_workflow support"
    assert "otel_agentops.retry.level" not in first["attributes"]
    assert AGAIN.items() <= again["attributes"].items()
