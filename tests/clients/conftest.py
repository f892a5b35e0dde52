"""A provider with two aliases, and everything that an installation emits while a real SDK talks to it.

A folder of a client defines the fixture `instrumentor`; `seen` is then what it emits.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from fake_provider import FakeProvider
from otel_agentops.testing import Capture, capture


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.alias("claude-x", "claude-x-20260301")
        yield running


@pytest.fixture
def seen(instrumentor: BaseInstrumentor) -> Iterator[Capture]:
    with capture(instrumentor) as everything:
        yield everything
