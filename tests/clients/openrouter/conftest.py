"""The real OpenRouter SDK, sync and async, on a fake provider."""

from __future__ import annotations

from typing import Any

import pytest
from openrouter_subject import OpenrouterSubject

from otel_agentops.clients.openrouter import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def router(kind: str, provider: FakeProvider) -> Any:
    return OpenrouterSubject().client(kind, provider)
