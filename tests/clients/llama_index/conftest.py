"""Real agents and engines on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from otel_agentops.clients import openai
from otel_agentops.frameworks import llama_index
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

ARGUMENTS = {"city": "Oslo", "to_agent": "forecaster", "reason": "it knows", "input": "Oslo"}
REASONED = (
    'Thought: I need a tool.\nAction: weather\nAction Input: {"city": "Oslo"}',
    "Thought: I can.\nAnswer: Sunny.",
)


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), llama_index.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model asks once for each tool that it is offered, and then answers."""

    def answer(call: Call) -> Answer:
        messages = call.body["messages"]
        if "Action Input" in str(messages[0]["content"]):  # a ReAct agent, which offers its tools as a text
            return Answer(text=REASONED["Observation:" in str(messages[1:])])
        calls = str([message.get("tool_calls") for message in messages])
        for tool in call.body.get("tools", ()):
            function = tool["function"]
            if f"'{function['name']}'" not in calls:
                arguments = {name: ARGUMENTS[name] for name in function["parameters"]["properties"]}
                return Answer(text="", tool_calls=(ToolCall(function["name"], json.dumps(arguments)),))
        return Answer()

    with FakeProvider() as running:
        running.alias("gpt-4o", "gpt-4o-2026-03-01")
        running.answer(answer)
        yield running
