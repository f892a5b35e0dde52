"""The exact message of every call reaches the sinks that want it."""

from __future__ import annotations

import datetime

from both import done, drained
from google.protobuf.json_format import MessageToDict
from grok_spans import CALL
from sent_content import ContentSink
from xai_subject import XaiSubject

from otel_agentops.testing.fake_provider.xai import XaiProvider


async def test_content_of_every_call_is_exact(provider: XaiProvider, sink: ContentSink, kind: str) -> None:
    grok = XaiSubject().client(kind, provider)
    await done(grok.chat.create(**CALL).sample())
    await drained(grok.chat.create(**CALL).stream())
    await done(grok.chat.create(**CALL).defer(interval=datetime.timedelta(milliseconds=1)))
    sent = [MessageToDict(message, preserving_proto_field_name=True) for message in sink.contents]
    assert sent == [call.body for call in provider.requests]
    assert len(sent) == 3
