"""A model that no client here is for is observed by Strands Agents itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from house_calls import ANSWER, TOKENS, check_house_run
from strands import Agent
from strands.models.model import Model
from strands.models.openai import OpenAIModel

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider


class House(Model):
    """A model of the program."""

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> Any:
        return {"model_id": "house-1", "temperature": 0.2}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {}}}
        yield {"contentBlockDelta": {"delta": {"text": ANSWER}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        usage = {"inputTokens": TOKENS[0], "outputTokens": TOKENS[1], "totalTokens": sum(TOKENS)}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


class Late(House):
    """A model that says its message starts before it asks another one."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        yield {"messageStart": {"role": "assistant"}}
        async for event in self.inner.stream(*args, **kwargs):
            if "messageStart" not in event:
                yield event


def test_model_without_a_client_is_counted(seen: Capture) -> None:
    assert str(Agent(model=House(), name="weather", callback_handler=None)("What is the weather?")).strip() == ANSWER
    (span,) = check_house_run(seen, "weather")
    assert span["name"] == "chat", "the library's own"
    assert span["attributes"]["gen_ai.request.model"] == "house-1"
    assert "otel_agentops.params.hash" in span["attributes"]


def test_stream_without_an_agent_is_a_call(seen: Capture) -> None:
    async def read() -> None:
        assert [event async for event in House().stream([])]

    asyncio.run(read())
    assert [span["name"] for span in seen.spans] == ["chat house-1"]


@pytest.mark.parametrize("wrap", [lambda model: model, Late])
def test_client_inside_has_the_only_call(provider: FakeProvider, seen: Capture, wrap: Any) -> None:
    inner = OpenAIModel(client_args={"api_key": "k", "base_url": provider.openai_url}, model_id="gpt-x")
    Agent(model=wrap(inner), name="weather", callback_handler=None)("What is the weather?")
    root = seen.spans[-1]["attributes"]
    assert [root[f"otel_agentops.task.{name}"] for name in ("llm_calls", "llm_attempts", "input_tokens")] == [1, 1, 11]
