"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from typing import Any

import pytest
from both import done, drained

from otel_agentops import _config, _telemetry
from otel_agentops.clients.google_genai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider, Status

ASK: Any = {"model": "gemini-x", "contents": "Grüße"}
HAS_INTERACTIONS = importlib.util.find_spec("google.genai._gaos") is not None


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


def assert_as_received(provider: FakeProvider, sink: ContentSink, count: int) -> None:
    received = provider.requests
    assert [json.loads(content) for content in sink.contents] == [call.body for call in received]
    assert [str(len(content)) for content in sink.contents] == [call.headers["content-length"] for call in received]
    assert len(sink.contents) == count


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, make: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    client = make(retries=2)
    await done(client.models.generate_content(**ASK))
    assert_as_received(provider, sink, 3)


async def test_content_of_a_stream_is_exact(provider: FakeProvider, sink: ContentSink, gemini: Any) -> None:
    await drained(await done(gemini.models.generate_content_stream(**ASK)))
    assert_as_received(provider, sink, 1)


async def test_content_of_vertex_is_exact(provider: FakeProvider, sink: ContentSink, vertex: Any) -> None:
    await done(vertex.models.generate_content(**ASK))
    await done(vertex.models.embed_content(**ASK))
    assert_as_received(provider, sink, 2)


@pytest.mark.skipif(not HAS_INTERACTIONS, reason="interactions are new in 2.9")
async def test_content_of_interactions_is_exact(provider: FakeProvider, sink: ContentSink, make: Any) -> None:
    provider.script(Status(503))
    client = make(retries=2)
    await done(client.interactions.create(model="gemini-x", input="Grüße"))
    assert_as_received(provider, sink, 2)
