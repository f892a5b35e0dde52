"""Real agents on a fake provider, with what our instrumentations of both emit; their own tracing exports nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from agents import set_trace_processors

from otel_agentops.clients import openai
from otel_agentops.frameworks import openai_agents
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall


@pytest.fixture(autouse=True)
def _export_no_traces() -> None:
    set_trace_processors([])


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), openai_agents.Instrumentor()) as everything:
        yield everything


@pytest.fixture(autouse=True)
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return the loop of a whole test, which `run_sync` uses as well: a client belongs to one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model asks for the last tool that it is offered, and answers with what comes back.

    The last tools are those that hand off, after which the next agent's model is asked.
    """

    def answer(call: Call) -> Answer:
        last, tools = call.body["messages"][-1], call.body.get("tools")
        if not tools or (last["role"] == "tool" and "assistant" not in last["content"]):
            return Answer()
        function = tools[-1]["function"]
        arguments = dict.fromkeys(function["parameters"]["properties"], "Oslo")
        return Answer(
            text="",
            tool_calls=(ToolCall(function["name"], json.dumps(arguments), f"call_{len(call.body['messages'])}"),),
        )

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running
