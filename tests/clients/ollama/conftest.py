"""The real ollama SDK, sync and async, on a fake server."""

from __future__ import annotations

from typing import Any

import ollama
import pytest

from otel_agentops.clients.ollama import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def client(kind: str, provider: FakeProvider) -> Any:
    return {"sync": ollama.Client, "async": ollama.AsyncClient}[kind](host=provider.url)
