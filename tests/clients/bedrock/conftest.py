"""Clients of Bedrock on a fake provider, sync and async, with what our instrumentation of them emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from bedrock_subject import BOTH, NO_AIO, made

from otel_agentops.clients.bedrock import Instrumentor
from otel_agentops.testing.contract import await_result as done
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def make(kind: str, provider: FakeProvider) -> AsyncIterator[Callable[..., Any]]:
    """A client made with these options; closed after the test."""
    if kind not in BOTH:
        pytest.skip(NO_AIO)
    opened: list[Any] = []

    def client(service: str = "bedrock-runtime", **options: Any) -> Any:
        opened.append(made(kind, service, provider.url, **options))
        return opened[-1]

    yield client
    for each in opened:
        await done(each.aclose() if kind == "async" else each.close())


@pytest.fixture
def bedrock(make: Callable[..., Any]) -> Any:
    """A client of the runtime."""
    return make()
