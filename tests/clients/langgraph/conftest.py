"""Real graphs on a fake provider, with what our instrumentations of both and of the tools emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langgraph_ways import open_provider

from otel_agentops.clients import openai
from otel_agentops.frameworks import langchain_core, langgraph
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), langgraph.Instrumentor(), langchain_core.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with open_provider() as running:
        yield running
