"""The exact message of every call reaches the sinks that want it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from both import done, drained
from google.protobuf.json_format import MessageToDict
from grok_spans import CALL
from xai_subject import XaiSubject

from otel_agentops import _config, _telemetry
from otel_agentops.clients.xai import Instrumentor
from otel_agentops.testing.fake_provider.xai import XaiProvider


class ContentSink:
    """A sink of the messages of requests alone."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def request_sent(self, call: object, content: Any) -> None:
        self.messages.append(content)


@pytest.fixture
def sink(instrumentor: Instrumentor) -> Iterator[ContentSink]:
    sink = ContentSink()
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), sinks=[sink]))
    instrumentor.instrument(skip_dep_check=True)
    yield sink
    instrumentor.uninstrument()
    _telemetry.replace_default(before)


async def test_content_of_every_call_is_exact(provider: XaiProvider, sink: ContentSink, kind: str) -> None:
    grok = XaiSubject().client(kind, provider)
    await done(grok.chat.create(**CALL).sample())
    await drained(grok.chat.create(**CALL).stream())
    await done(grok.chat.create(**CALL).defer(interval=datetime.timedelta(milliseconds=1)))
    sent = [MessageToDict(message, preserving_proto_field_name=True) for message in sink.messages]
    assert sent == [call.body for call in provider.requests]
    assert len(sent) == 3
