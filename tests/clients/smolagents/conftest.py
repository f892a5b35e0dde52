"""Real agents on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from otel_agentops.clients import openai
from otel_agentops.frameworks import smolagents
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

CODE = ("<code>\nprint(weather('Oslo'))\n</code>", "<code>\nfinal_answer('done')\n</code>")


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), smolagents.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model asks for the first tool that it is offered, and then for the final answer."""

    def answer(call: Call) -> Answer:
        said = str(call.body["messages"][1:])
        turn = int("Observation:" in said or "Error:" in said)
        if not (tools := call.body.get("tools")):
            return Answer(text=CODE[turn])
        functions = sorted((tool["function"] for tool in tools), key=lambda each: each["name"] == "final_answer")
        function = functions[0 if turn == 0 else -1]
        arguments = {name: "Oslo" for name in function["parameters"]["properties"] if name != "additional_args"}
        return Answer(text="", tool_calls=(ToolCall(function["name"], json.dumps(arguments), f"call_{turn}"),))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running
