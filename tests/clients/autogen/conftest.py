"""Real agents on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agentops.clients import openai
from otel_agentops.frameworks import autogen
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    with capture(openai.Instrumentor(), autogen.Instrumentor()) as everything:
        # The library asks for the global provider.
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", everything.tracer_provider)
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider whose model asks for the first tool that it is offered, and answers with what comes back."""

    def answer(call: Call) -> Answer:
        tools = call.body.get("tools")
        if not tools or call.body["messages"][-1]["role"] == "tool":
            return Answer()
        function = tools[0]["function"]
        arguments = '{"city": "Oslo"}' if "city" in function["parameters"]["properties"] else "{}"
        return Answer(text="", tool_calls=(ToolCall(function["name"], arguments),))

    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.answer(answer)
        yield running
