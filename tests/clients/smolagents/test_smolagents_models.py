"""A model that no client here is for is observed by smolagents itself, also one that runs in the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from agent_runs import INSTRUCTED
from house_calls import ANSWER, TOKENS, check_house_run, describe_house_call
from openai import OpenAI
from smolagents import Model, OpenAIModel, ToolCallingAgent
from smolagents.models import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
    MessageRole,
)
from smolagents.monitoring import TokenUsage

import otel_agentops
from otel_agentops.frameworks.smolagents import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider


def call_final_answer() -> ChatMessageToolCallFunction:
    return ChatMessageToolCallFunction(name="final_answer", arguments=f'{{"answer": "{ANSWER}"}}')


class House(Model):
    """A model of the program, which cannot stream."""

    def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
        call = ChatMessageToolCall(function=call_final_answer(), id="call_1", type="function")
        return ChatMessage(MessageRole.ASSISTANT, tool_calls=[call], token_usage=TokenUsage(*TOKENS))


class Streaming(House):
    """The same, which streams."""

    def generate_stream(self, messages: Any, **kwargs: Any) -> Iterator[ChatMessageStreamDelta]:
        yield ChatMessageStreamDelta(
            tool_calls=[
                ChatMessageToolCallStreamDelta(index=0, id="call_1", type="function", function=call_final_answer())
            ]
        )
        yield ChatMessageStreamDelta(token_usage=TokenUsage(*TOKENS))


@pytest.mark.parametrize("make", [House, Streaming])
def test_model_without_a_client_is_counted(seen: Capture, make: type[Model]) -> None:
    agent = ToolCallingAgent(
        [], make(model_id="house-1", temperature=0.2), name="weather", stream_outputs=make is Streaming
    )
    assert agent.run("What is the weather?") == ANSWER
    check_house_run(seen, "weather")


def test_call_has_a_span(seen: Capture) -> None:
    with otel_agentops.task("weather"):
        House(model_id="house-1", temperature=0.2).generate([{"role": "system", "content": "Be brief."}])
    (call, _) = seen.spans
    facts = {name: call["attributes"].pop(name) for name in ("otel_agentops.task.id", "otel_agentops.task.name")}
    assert facts["otel_agentops.task.name"] == "weather"
    assert call == describe_house_call("invoke_workflow weather", **INSTRUCTED)


def test_class_without_the_usual_attributes_is_counted(seen: Capture) -> None:
    class Bare(House):
        """A model that is not initialised as others are, and counts in numbers of its own."""

        def __init__(self) -> None: ...

        def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
            return ChatMessage(MessageRole.ASSISTANT, "Sunny.", token_usage=TokenUsage(12.5, 0.5))  # type: ignore

    with otel_agentops.task("weather"):
        Bare().generate([{"role": "user", "content": "What is the weather?"}])
    (call, _) = seen.spans
    assert (call["name"], call["parent"]) == ("chat", "invoke_workflow weather")
    assert "gen_ai.usage.input_tokens" not in call["attributes"]


def test_embedding_inside_is_another_call(provider: FakeProvider, seen: Capture) -> None:
    provider.answer(lambda call: Answer())
    client = OpenAI(api_key="k", base_url=provider.openai_url)

    class Searching(House):
        """A model that embeds the question before it answers."""

        def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
            client.embeddings.create(model="embed-x", input="What is the weather?")
            return ChatMessage(MessageRole.ASSISTANT, ANSWER)

    with otel_agentops.task("weather"):
        Searching(model_id="house-1").generate([{"role": "user", "content": "What is the weather?"}])
    assert [span["name"] for span in seen.spans] == ["embeddings embed-x", "chat house-1", "invoke_workflow weather"]
    assert seen.spans[2]["attributes"]["otel_agentops.task.llm_calls"] == 2


def test_client_inside_has_the_only_span(provider: FakeProvider, seen: Capture) -> None:
    model = OpenAIModel("gpt-x", api_base=provider.openai_url, api_key="k")
    with otel_agentops.task("weather"):
        model.generate([{"role": "user", "content": "What is the weather?"}])
    assert [span["name"] for span in seen.spans] == ["chat gpt-x", "invoke_workflow weather"]
    assert seen.spans[1]["attributes"]["otel_agentops.task.llm_calls"] == 1


def test_class_is_itself_again() -> None:
    generate = House.generate
    with capture(Instrumentor()):
        assert House.generate is not generate
    assert House.generate is generate
