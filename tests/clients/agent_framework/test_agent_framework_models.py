"""A model that no client here is for is observed by Agent Framework itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from agent_framework import Agent, BaseChatClient, ChatResponse, ChatResponseUpdate, Content, Message, ResponseStream
from agent_framework.openai import OpenAIChatCompletionClient
from agent_runs import find_span
from house_calls import ANSWER, TOKENS, check_house_run

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

USAGE: Any = {"input_token_count": TOKENS[0], "output_token_count": TOKENS[1]}


class House(BaseChatClient):
    """A model of the program."""

    model = "house-1"

    def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **kwargs: Any) -> Any:
        return self._build_response_stream(self._read()) if stream else self._answer()

    def _answer(self) -> Awaitable[ChatResponse]:
        async def answer() -> ChatResponse:
            return ChatResponse(messages=[Message("assistant", [ANSWER])], usage_details=USAGE)

        return answer()

    async def _read(self) -> AsyncIterator[ChatResponseUpdate]:
        yield ChatResponseUpdate(contents=[Content.from_text(ANSWER)], role="assistant")
        yield ChatResponseUpdate(contents=[Content.from_usage(USAGE)])


async def ask(agent: Agent, is_streamed: bool) -> str:
    if not is_streamed:
        return (await agent.run("What is the weather?")).text
    stream = agent.run("What is the weather?", stream=True)
    assert isinstance(stream, ResponseStream)
    return "".join([update.text async for update in stream])


@pytest.mark.parametrize("is_streamed", [False, True])
def test_model_without_a_client_is_counted(seen: Capture, is_streamed: bool) -> None:
    agent = Agent(House(), "Be brief.", name="weather")
    assert asyncio.run(ask(agent, is_streamed)) == ANSWER
    (span,) = check_house_run(seen, "weather")
    assert span["name"] == "chat house-1"
    assert "otel_agentops.prompt.hash" in span["attributes"]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_client_inside_has_the_only_call(provider: FakeProvider, seen: Capture, is_streamed: bool) -> None:
    client = OpenAIChatCompletionClient(model="gpt-x", api_key="k", base_url=provider.openai_url)
    asyncio.run(ask(Agent(client, name="weather"), is_streamed))
    root = find_span(seen, "invoke_workflow weather")["attributes"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("llm_calls", "llm_attempts", "input_tokens")] == [1, 1, 11]
