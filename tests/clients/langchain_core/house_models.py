"""Chat models of a provider that no client here is for, and the ways in which programs call one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

USAGE: Any = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
ASK = [("system", "Be brief."), ("user", "What is the weather?")]


class Plain(BaseChatModel):
    """A model of a provider that nobody knows, which cannot stream."""

    model: str = "house-1"
    temperature: float = 0.2
    error: Exception | None = None
    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "plain"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return {**super()._get_ls_params(stop=stop, **kwargs), "ls_provider": "house"}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.calls += 1
        if self.error is not None:
            raise self.error
        metadata = {"model_name": "house-1-2026-03-01", "finish_reason": "stop"}
        message = AIMessage("Sunny.", response_metadata=metadata, usage_metadata=USAGE, id="msg-1")
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        from langchain_core.utils.function_calling import convert_to_openai_tool

        return self.bind(tools=[convert_to_openai_tool(each) for each in tools], **kwargs)


class Streaming(Plain):
    """The same, which streams."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        metadata = {"model_name": "house-1-2026-03-01", "finish_reason": "stop"}
        for text in ("Sun", "ny."):
            yield ChatGenerationChunk(message=AIMessageChunk(text, id="msg-1"))
            if self.error is not None:
                raise self.error
        yield ChatGenerationChunk(
            message=AIMessageChunk("", id="msg-1", response_metadata=metadata, usage_metadata=USAGE)
        )


class Unnamed(Plain):
    """A model that does not say whose it is."""

    _get_ls_params = BaseChatModel._get_ls_params


def run_invoke(model: Any) -> None:
    assert model.invoke(ASK).content == "Sunny."


def run_stream(model: Any) -> None:
    assert "".join(chunk.content for chunk in model.stream(ASK)) == "Sunny."


def run_ainvoke(model: Any) -> None:
    assert asyncio.run(model.ainvoke(ASK)).content == "Sunny."


def run_astream(model: Any) -> None:
    async def read() -> str:
        return "".join([chunk.content async for chunk in model.astream(ASK)])

    assert asyncio.run(read()) == "Sunny."


WAYS = {"invoke": run_invoke, "stream": run_stream, "ainvoke": run_ainvoke, "astream": run_astream}
