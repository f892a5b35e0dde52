"""A model whose provider has no client here is observed by the library itself; one that has a client is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from agent_runs import INSTRUCTED, describe_model_call
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.llms.openai import OpenAI

import otel_agentops
from otel_agentops.frameworks.llama_index import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, Record
from otel_agentops.testing.fake_provider import FakeProvider

RAW: Any = {"model": "house-1-2026-03-01", "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}
ASK = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="How is it?")]
ROOT = "invoke_workflow weather"


class Plain(CustomLLM):
    """A model of a provider that nobody knows, which completes prompts."""

    temperature: float = 0.2
    error: Any = None

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="house-1")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        if self.error is not None:
            raise self.error
        return CompletionResponse(text="Sunny.", raw=RAW)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:
        def generate() -> Iterator[CompletionResponse]:
            yield CompletionResponse(text="Sun", delta="Sun")
            if self.error is not None:
                raise self.error
            yield CompletionResponse(text="Sunny.", delta="ny.", raw=RAW)

        return generate()


class Chatting(Plain):
    """The same, which has turns as well."""

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        if self.error is not None:
            raise self.error
        return ChatResponse(message=ChatMessage(role="assistant", content="Sunny."), raw=RAW)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Iterator[ChatResponse]:
        def generate() -> Iterator[ChatResponse]:
            for text in ("Sun", "Sunny."):
                yield ChatResponse(message=ChatMessage(role="assistant", content=text), raw=RAW)
                if self.error is not None:
                    raise self.error

        return generate()


async def read(stream: AsyncIterator[Any]) -> str:
    return [str(item) async for item in stream][-1]


async def stream_chat_async(model: Any) -> str:
    return await read(await model.astream_chat(ASK))


async def stream_complete_async(model: Any) -> str:
    return await read(await model.astream_complete("How is it?"))


CHATS: dict[str, Callable[[Any], Any]] = {
    "chat": lambda model: model.chat(ASK),
    "achat": lambda model: asyncio.run(model.achat(ASK)),
    "stream_chat": lambda model: list(model.stream_chat(ASK))[-1],
    "astream_chat": lambda model: asyncio.run(stream_chat_async(model)),
}
COMPLETIONS: dict[str, Callable[[Any], Any]] = {
    "complete": lambda model: model.complete("How is it?"),
    "acomplete": lambda model: asyncio.run(model.acomplete("How is it?")),
    "stream_complete": lambda model: list(model.stream_complete("How is it?"))[-1],
    "astream_complete": lambda model: asyncio.run(stream_complete_async(model)),
}


def read_only_span(seen: Capture) -> Record:
    (span,) = seen.spans
    span["attributes"].pop("gen_ai.response.time_to_first_chunk", None)
    return span


@pytest.mark.parametrize("way", CHATS)
def test_chat_without_a_client_is_one_call(seen: Capture, way: str) -> None:
    assert "Sunny." in str(CHATS[way](Chatting()))
    assert read_only_span(seen) == describe_model_call(**INSTRUCTED)
    assert sorted(point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]) == [3, 12]


@pytest.mark.parametrize("way", COMPLETIONS)
def test_completion_without_a_client_is_one_call(seen: Capture, way: str) -> None:
    assert "Sunny." in str(COMPLETIONS[way](Plain()))
    assert read_only_span(seen) == describe_model_call("text_completion", **{"otel_agentops.prompt.source": "none"})


@pytest.mark.parametrize("way", CHATS)
def test_chat_by_a_completion_is_one_call(seen: Capture, way: str) -> None:
    CHATS[way](Plain())
    assert [span["name"] for span in seen.spans] == ["text_completion house-1"]


@pytest.mark.parametrize("way", [*CHATS, *COMPLETIONS])
def test_model_error_is_that_of_the_call(seen: Capture, way: str) -> None:
    with pytest.raises(TimeoutError):
        {**CHATS, **COMPLETIONS}[way](Chatting(error=TimeoutError()))
    (span,) = seen.spans
    assert (span["status"], span["attributes"]["error.type"]) == ("ERROR", "TimeoutError")


def test_stream_that_is_left_ends_its_call(seen: Capture) -> None:
    stream = Chatting().stream_chat(ASK)
    next(stream)
    stream.close()
    assert read_only_span(seen)["status"] == "UNSET"


@pytest.mark.parametrize("way", [*CHATS, *COMPLETIONS])
def test_client_inside_has_the_only_span_of_a_model(provider: FakeProvider, seen: Capture, way: str) -> None:
    usage = {"stream_options": {"include_usage": True}} if "stream" in way else {}
    model = OpenAI(model="gpt-4o", api_base=provider.openai_url, api_key="k", max_retries=0, additional_kwargs=usage)
    with otel_agentops.task("weather"):
        {**CHATS, **COMPLETIONS}[way](model)
    assert [span["name"] for span in seen.spans] == ["chat gpt-4o", ROOT]
    assert seen.spans[0]["attributes"]["gen_ai.provider.name"] == "openai"
    sums = [seen.spans[1]["attributes"][f"otel_agentops.task.{name}"] for name in ("llm_calls", "input_tokens")]
    assert sums == [1, 11]


def test_uninstrumented_model_is_the_same_as_before(seen: Capture) -> None:
    class Late(Chatting):
        """A class that is made while we are active."""

        @llm_chat_callback()
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
            return ChatResponse(message=ChatMessage(role="assistant", content="Rainy."))

    Late().chat(ASK)
    assert [span["name"] for span in seen.spans] == ["chat house-1"]
    Instrumentor().uninstrument()
    assert LIBRARY.patches == {}
    Late().chat(ASK)
    Chatting().chat(ASK)
    assert len(seen.spans) == 1
