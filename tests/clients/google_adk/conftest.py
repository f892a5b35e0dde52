"""Real agents on a fake provider, with what our instrumentations of both, and the library itself, emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agentops.clients import google_genai
from otel_agentops.frameworks import google_adk
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    with capture(google_genai.Instrumentor(), google_adk.Instrumentor()) as everything:
        # The library asks for the global provider, and keeps the tracer that it was given.
        for module in ("google.adk.telemetry.tracing", "google.adk.telemetry.node_tracing"):
            monkeypatch.setattr(
                f"{module}.tracer", everything.tracer_provider.get_tracer("gcp.vertex.agent"), raising=False
            )
        yield everything


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Return a provider whose model asks for the first tool that it is offered, and answers with what comes back."""

    def answer(call: Call) -> Answer:
        tools = call.body.get("tools")
        if not tools or "functionResponse" in call.body["contents"][-1]["parts"][-1]:
            return Answer()
        return Answer(text="", tool_calls=(ToolCall(tools[0]["functionDeclarations"][0]["name"], '{"city": "Oslo"}'),))

    with FakeProvider() as running:
        monkeypatch.setenv("GOOGLE_API_KEY", "k")
        running.alias("gemini-x", "gemini-x-2026")
        running.answer(answer)
        yield running
