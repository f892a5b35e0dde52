"""A model that no client here is for is observed by AutoGen itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ChatCompletionClient, CreateResult, ModelInfo, RequestUsage
from autogen_ext.models.cache import ChatCompletionCache
from house_calls import ANSWER, TOKENS, check_house_run

from otel_agentops.testing import Capture


class House(ChatCompletionClient):
    """A model of the program."""

    component_config_schema = None
    component_type = "model"

    async def create(self, messages: Any, **kwargs: Any) -> CreateResult:
        return CreateResult(finish_reason="stop", content=ANSWER, usage=RequestUsage(*TOKENS), cached=False)

    async def create_stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield ANSWER
        yield await House.create.__wrapped__(self, messages)  # type: ignore[attr-defined]

    async def close(self) -> None: ...

    def actual_usage(self) -> RequestUsage:
        return RequestUsage(*TOKENS)

    total_usage = actual_usage

    def count_tokens(self, messages: Any, **kwargs: Any) -> int:
        return 1

    remaining_tokens = count_tokens

    @property
    def capabilities(self) -> Any:
        return self.model_info

    @property
    def model_info(self) -> ModelInfo:
        return ModelInfo(
            vision=False, function_calling=True, json_output=False, family="house", structured_output=False
        )


@pytest.mark.parametrize("is_streamed", [False, True])
def test_model_without_a_client_is_counted(seen: Capture, is_streamed: bool) -> None:
    agent = AssistantAgent("weather", House(), model_client_stream=is_streamed)
    asyncio.run(agent.run(task="What is the weather?"))
    (span,) = check_house_run(seen, "weather")
    assert (span["name"], span["parent"]) == ("chat", "invoke_agent weather")
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["stop"]


def test_cached_answer_is_no_call(seen: Capture) -> None:
    class Store(dict[str, Any]):
        def set(self, key: str, value: Any) -> None:
            self[key] = value

    agent = AssistantAgent("weather", ChatCompletionCache(House(), Store()))  # type: ignore[arg-type]

    async def ask() -> None:
        await agent.run(task="What is the weather?")
        await agent.on_reset(None)  # type: ignore[arg-type]
        await agent.run(task="What is the weather?")

    asyncio.run(ask())
    calls = [
        span["attributes"]["otel_agentops.task.llm_calls"] for span in seen.spans if "invoke_workflow" in span["name"]
    ]
    assert calls == [1, 0]
