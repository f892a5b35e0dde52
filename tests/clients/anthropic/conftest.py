"""The real Anthropic SDK, sync and async, on a fake provider, with what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from expected_claude import UNTRACED

from otel_agentops.clients.anthropic import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def make(kind: str, provider: FakeProvider) -> Callable[..., Any]:
    """A client, sync or async, made with these options."""
    made = {"sync": anthropic.Anthropic, "async": anthropic.AsyncAnthropic}[kind]
    return lambda **options: made(**{"api_key": "k", "base_url": provider.anthropic_url, **options})


@pytest.fixture
def claude(make: Callable[..., Any]) -> Any:
    """A client without tracing of its own."""
    return make(**UNTRACED)


@pytest.fixture
def traced(make: Callable[..., Any], seen: Capture) -> Any:
    """A client with tracing of its own: it takes a provider as an option, so that no global one is needed."""
    return make(open_telemetry={"tracer_provider": seen.tracer_provider})
