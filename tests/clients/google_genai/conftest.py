"""The real client, sync and async, on a fake provider, with what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google_genai_subject import options

from otel_agentops.clients.google_genai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def provider(provider: FakeProvider) -> FakeProvider:
    provider.alias("gemini-x", "gemini-x-001")
    return provider


@pytest.fixture
def make(kind: str, provider: FakeProvider) -> Callable[..., Any]:
    """A client, sync or async, made with these HTTP options."""

    def client(**given: Any) -> Any:
        made = genai.Client(api_key="k", http_options=options(provider, **given))
        return made if kind == "sync" else made.aio

    return client


@pytest.fixture
def gemini(make: Callable[..., Any]) -> Any:
    return make()


@pytest.fixture
def vertex(kind: str, provider: FakeProvider) -> Any:
    """A client in Vertex mode, with credentials that need no network."""
    from google.auth.credentials import AnonymousCredentials

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    credentials.token = "t"
    made = genai.Client(
        vertexai=True, project="p", location="l", credentials=credentials, http_options=options(provider)
    )
    return made if kind == "sync" else made.aio
