"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from both import done, drained
from mistralai.client.utils import BackoffStrategy, RetryConfig

from otel_agentops import _config, _telemetry
from otel_agentops.clients.mistralai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider, Status

CALL: Any = {"model": "m-x", "messages": [{"role": "user", "content": "Grüße"}]}
RETRIES = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), True)


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


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, mistral: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    await done(mistral.call("chat.complete", **CALL, retries=RETRIES))
    await drained(await done(mistral.call("chat.stream", **CALL)))
    received = provider.requests
    assert [json.loads(content) for content in sink.contents] == [call.body for call in received]
    assert [str(len(content)) for content in sink.contents] == [call.headers["content-length"] for call in received]
    assert len(sink.contents) == 4
