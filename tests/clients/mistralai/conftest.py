"""The real Mistral SDK, sync and async, on a fake provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mistralai_subject import MistralaiSubject

from otel_agentops.clients.mistralai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def make(kind: str, provider: FakeProvider) -> Callable[..., Any]:
    """A client, sync or async, made with these options of a subject."""
    provider.alias("m-x", "m-x-2026-03-01")
    provider.alias("ag:fake", "m-x-2026-03-01")
    return lambda **options: MistralaiSubject().client(kind, provider, **options)


@pytest.fixture
def mistral(make: Callable[..., Any]) -> Any:
    return make()
