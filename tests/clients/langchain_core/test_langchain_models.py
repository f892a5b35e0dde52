"""A chat model whose provider has no client here is observed by LangChain itself; one that has a client is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from agent_runs import INSTRUCTED, NAMED, describe_model_call
from house_models import ASK, WAYS, Plain, Streaming, Unnamed, run_invoke, run_stream
from langchain_core.caches import InMemoryCache
from langchain_core.messages import ChatMessage, ChatMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import otel_agentops
from otel_agentops.clients import openai
from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@tool
def weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


SPAN = describe_model_call(**INSTRUCTED, **NAMED)


@pytest.mark.parametrize("make", [Plain, Streaming])
@pytest.mark.parametrize("way", WAYS)
def test_model_without_a_client_is_one_call(seen: Capture, way: str, make: Any) -> None:
    WAYS[way](make())
    (span,) = seen.spans
    is_streamed = make is Streaming and "stream" in way
    assert ("gen_ai.response.time_to_first_chunk" in span["attributes"]) is is_streamed
    span["attributes"].pop("gen_ai.response.time_to_first_chunk", None)
    assert span == SPAN
    points = seen.metrics["gen_ai.client.token.usage"]
    assert sorted(point["sum"] for point in points) == [3, 12]


def test_error_is_that_of_the_call(seen: Capture) -> None:
    with pytest.raises(TimeoutError):
        Plain(error=TimeoutError()).invoke(ASK)
    with pytest.raises(TimeoutError):
        list(Streaming(error=TimeoutError()).stream(ASK))
    assert [(span["status"], span["attributes"]["error.type"]) for span in seen.spans] == [
        ("ERROR", "TimeoutError"),
        ("ERROR", "TimeoutError"),
    ]


def test_provider_that_nobody_names_is_absent(seen: Capture) -> None:
    Unnamed().invoke(ASK)
    assert "gen_ai.provider.name" not in seen.spans[0]["attributes"]


def test_tools_have_their_identity(seen: Capture) -> None:
    Plain().bind_tools([weather]).invoke(ASK)
    (attributes,) = [span["attributes"] for span in seen.spans]
    (version,) = attributes["otel_agentops.tools.versions"]
    weather.invoke({"city": "Oslo"})
    assert version == f"weather@{seen.spans[1]['attributes']['otel_agentops.tool.hash']}"


@pytest.mark.parametrize("make", [Plain, Streaming])
def test_answer_of_another_class_has_no_tokens(seen: Capture, make: Any) -> None:
    class Echo(make):
        """A model whose answers are messages of a chat, which have no usage."""

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            message = ChatMessage("Sunny.", role="house", response_metadata={"model_name": "house-1-2026-03-01"})
            return ChatResult(generations=[ChatGeneration(message=message)])

        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
            metadata = {"model_name": "house-1-2026-03-01"}
            yield ChatGenerationChunk(message=ChatMessageChunk("Sunny.", role="house", response_metadata=metadata))

    (run_stream if make is Streaming else run_invoke)(Echo())
    (attributes,) = [span["attributes"] for span in seen.spans]
    assert attributes["gen_ai.response.model"] == "house-1-2026-03-01"
    assert "gen_ai.usage.input_tokens" not in attributes


def test_cached_answer_is_no_call(seen: Capture) -> None:
    model = Plain(cache=InMemoryCache())
    model.invoke(ASK)
    model.invoke(ASK)
    assert model.calls == 1
    assert len(seen.spans) == 1


def test_model_around_another_is_one_call(seen: Capture) -> None:
    class Outer(Plain):
        """A model that asks another one."""

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=Plain().invoke(messages))])

    run_invoke(Outer())
    assert seen.spans == [SPAN]


def test_call_counts_for_its_task(seen: Capture) -> None:
    with otel_agentops.task("weather"):
        run_stream(Streaming())
        with pytest.raises(TimeoutError):
            Plain(error=TimeoutError()).invoke(ASK)
        run_invoke(Plain())
    call, failed, again, root = seen.spans
    assert [span["parent"] for span in (call, failed, again)] == [root["name"]] * 3
    assert again["attributes"]["otel_agentops.retry.level"] == "application"
    sums = ("llm_calls", "input_tokens", "output_tokens", "application_retries")
    assert [root["attributes"][f"otel_agentops.task.{name}"] for name in sums] == [3, 24, 6, 1]
    assert "otel_agentops.task.llm_attempts" not in root["attributes"]


async def read_async(stream: AsyncIterator[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


async def test_client_inside_has_the_only_span() -> None:
    with FakeProvider() as provider, capture(Instrumentor(), openai.Instrumentor()) as seen:
        model = ChatOpenAI(model="gpt-x", base_url=provider.openai_url, api_key="k", stream_usage=True)
        with otel_agentops.task("weather"):
            model.invoke(ASK)
            assert len(list(model.stream(ASK))) > 2
            await model.ainvoke(ASK)
            assert len(await read_async(model.astream(ASK))) > 2
    assert [span["name"] for span in seen.spans] == ["chat gpt-x"] * 4 + ["invoke_workflow weather"]
    root = seen.spans[-1]["attributes"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("llm_calls", "input_tokens")] == [4, 44]
    assert {span["parent"] for span in seen.spans[:-1]} == {"invoke_workflow weather"}
