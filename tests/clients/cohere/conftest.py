"""The real cohere SDK, sync and async and in both versions of its API, on a fake provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cohere
import pytest

from otel_agentops import _config, _telemetry
from otel_agentops.clients.cohere import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


class ContentSink:
    """A sink of the bytes of requests alone."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    def request_sent(self, call: object, content: bytes) -> None:
        self.contents.append(content)


@pytest.fixture
def sink(instrumentor: Instrumentor) -> Iterator[ContentSink]:
    sink = ContentSink()
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), sinks=[sink]))
    instrumentor.instrument(skip_dep_check=True)
    yield sink
    instrumentor.uninstrument()
    _telemetry.replace_default(before)


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
