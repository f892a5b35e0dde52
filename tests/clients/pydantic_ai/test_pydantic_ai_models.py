"""A model whose provider has no client here is observed by the library itself; one that has a client is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agent_runs import INSTRUCTED, NAMED, describe_model_call
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import DeltaToolCall, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.usage import RequestUsage

from otel_agentops.frameworks.pydantic_ai import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, Record

ROOT = "invoke_workflow weather agent"
SUMS = ("llm_calls", "input_tokens", "output_tokens")


class House(Model):
    """A model of a provider that nobody knows, which cannot stream."""

    error: Exception | None = None

    @property
    def model_name(self) -> str:
        return "house-1"

    @property
    def system(self) -> str:
        return "house"

    async def request(self, messages: Any, model_settings: Any, model_request_parameters: Any) -> ModelResponse:
        if self.error is not None:
            raise self.error
        return ModelResponse(
            [TextPart("Sunny.")],
            usage=RequestUsage(input_tokens=12, output_tokens=3),
            model_name="house-1-2026-03-01",
            provider_response_id="msg-1",
            finish_reason="stop",
        )


class Streaming(House):
    """The same, which streams."""

    @asynccontextmanager
    async def request_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
            yield "Sun"
            if self.error is not None:
                raise self.error
            yield "ny."

        async with FunctionModel(stream_function=stream, model_name="house-1").request_stream(
            *args, **kwargs
        ) as response:
            yield response


SPAN = describe_model_call(parent=ROOT, **INSTRUCTED, **NAMED, **{"otel_agentops.task.name": "weather agent"})


def make_agent(model: Any, **options: Any) -> Agent[None, Any]:
    return Agent(model, name="weather agent", model_settings={"temperature": 0.2}, **options)


def run_sync(agent: Agent[None, Any]) -> None:
    assert agent.run_sync("How is it?").output == "Sunny."


def run_async(agent: Agent[None, Any]) -> None:
    assert asyncio.run(agent.run("How is it?")).output == "Sunny."


def run_stream(agent: Agent[None, Any]) -> None:
    async def read() -> None:
        async with agent.run_stream("How is it?") as result:
            assert await result.get_output() == "Sunny."

    asyncio.run(read())


def read_calls(seen: Capture) -> list[Record]:
    """Return the spans of model calls without the id of their task."""
    calls = [span for span in seen.spans if span["attributes"].get("gen_ai.operation.name") == "chat"]
    for call in calls:
        call["attributes"].pop("otel_agentops.task.id")
    return calls


def read_sums(seen: Capture) -> list[Any]:
    (root,) = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    return [root.get(f"otel_agentops.task.{name}") for name in SUMS]


@pytest.mark.parametrize("words", ["instructions", "system_prompt"])
@pytest.mark.parametrize("wrap", [lambda model: model, WrapperModel, FallbackModel])
@pytest.mark.parametrize("run", [run_sync, run_async])
def test_model_without_a_client_is_one_call(seen: Capture, run: Callable[..., None], wrap: Any, words: str) -> None:
    run(make_agent(wrap(House()), **{words: "Be brief."}))
    assert read_calls(seen) == [SPAN]
    assert read_sums(seen) == [1, 12, 3]
    assert sorted(point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]) == [3, 12]
    assert seen.problems == []


def test_stream_without_a_client_is_one_call(seen: Capture) -> None:
    run_stream(make_agent(Streaming(), instructions="Be brief."))
    (call,) = read_calls(seen)
    answered = {key: value for key, value in call["attributes"].items() if ".usage." in key or ".response." in key}
    assert (call["name"], call["parent"], answered.pop("gen_ai.response.model")) == ("chat house-1", ROOT, "house-1")
    assert read_sums(seen) == [1, *answered.values()]


@pytest.mark.parametrize("run", [run_sync, run_stream])
def test_error_is_that_of_the_call(seen: Capture, run: Callable[..., None]) -> None:
    model = Streaming()
    model.error = TimeoutError()
    with pytest.raises(TimeoutError):
        run(make_agent(model))
    (call,) = read_calls(seen)
    assert (call["status"], call["attributes"]["error.type"]) == ("ERROR", "TimeoutError")
    assert read_sums(seen)[0] == 1


def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


def answer(messages: Any, info: Any) -> ModelResponse:
    if len(messages) > 1:
        return ModelResponse([TextPart("Sunny.")])
    return ModelResponse([ToolCallPart("weather", {"city": "Oslo"})])


async def answer_in_parts(messages: Any, info: Any) -> AsyncIterator[Any]:
    if len(messages) > 1:
        yield "Sunny."
    else:
        yield {0: DeltaToolCall("weather", '{"city": "Oslo"}')}


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize("run", [run_sync, run_async, run_stream])
def test_tool_has_the_hash_of_its_offer(seen: Capture, run: Callable[..., None], is_native: bool) -> None:
    """With the library's own tracing its span of the call stays the only one."""
    agent = make_agent(FunctionModel(answer, stream_function=answer_in_parts), tools=[weather])
    if is_native:
        agent.instrument = InstrumentationSettings(tracer_provider=seen.tracer_provider, include_content=False)
    run(agent)
    calls = read_calls(seen)
    (executed,) = [span["attributes"] for span in seen.spans if span["name"].startswith("execute_tool")]
    version = f"weather@{executed['otel_agentops.tool.hash']}"
    assert [call["attributes"]["otel_agentops.tools.versions"] for call in calls] == [[version]] * 2
    assert read_sums(seen)[0] == 2


def test_uninstrumented_model_is_itself_again(seen: Capture) -> None:
    before = vars(House)["request"]
    run_sync(make_agent(House()))
    assert vars(House)["request"] is not before
    Instrumentor().uninstrument()
    assert vars(House)["request"] is before
    assert LIBRARY.patches == {}
