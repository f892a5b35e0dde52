"""The real cohere SDK, sync and async and in both versions of its API, on a fake provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cohere
import pytest

from otel_agentops.clients.cohere import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def make(kind: str, provider: FakeProvider) -> Callable[..., Any]:
    """A client of v2 or, asked for with `old`, of v1."""

    def made(*, old: bool = False, **options: Any) -> Any:
        name = ("Async" if kind == "async" else "") + ("Client" if old else "ClientV2")
        return getattr(cohere, name)(**{"api_key": "k", "base_url": provider.url, **options})

    return made


@pytest.fixture
def co(make: Callable[..., Any]) -> Any:
    return make()


@pytest.fixture
def old(make: Callable[..., Any]) -> Any:
    return make(old=True)
