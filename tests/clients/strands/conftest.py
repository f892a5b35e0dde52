"""Real agents on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from agent_runs import run_tool_model

from otel_agentops.clients import bedrock, openai
from otel_agentops.frameworks import strands
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    with capture(openai.Instrumentor(), bedrock.Instrumentor(), strands.Instrumentor()) as everything:
        # The library asks for the global provider, and keeps the tracer that it was given.
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", everything.tracer_provider)
        monkeypatch.setattr("strands.telemetry.tracer._tracer_instance", None)
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with run_tool_model() as running:
        yield running
