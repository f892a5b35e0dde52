"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from both import done, drained
from sent_content import ContentSink

from otel_agentops.testing.fake_provider import FakeProvider, Status

ASK: Any = {"model": "gemini-x", "contents": "Grüße"}
HAS_INTERACTIONS = importlib.util.find_spec("google.genai._gaos") is not None


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, make: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    client = make(retries=2)
    await done(client.models.generate_content(**ASK))
    sink.assert_received(provider, 3)


async def test_content_of_a_stream_is_exact(provider: FakeProvider, sink: ContentSink, gemini: Any) -> None:
    await drained(await done(gemini.models.generate_content_stream(**ASK)))
    sink.assert_received(provider, 1)


async def test_content_of_vertex_is_exact(provider: FakeProvider, sink: ContentSink, vertex: Any) -> None:
    await done(vertex.models.generate_content(**ASK))
    await done(vertex.models.embed_content(**ASK))
    sink.assert_received(provider, 2)


@pytest.mark.skipif(not HAS_INTERACTIONS, reason="interactions are new in 2.9")
async def test_content_of_interactions_is_exact(provider: FakeProvider, sink: ContentSink, make: Any) -> None:
    provider.script(Status(503))
    client = make(retries=2)
    await done(client.interactions.create(model="gemini-x", input="Grüße"))
    sink.assert_received(provider, 2)
