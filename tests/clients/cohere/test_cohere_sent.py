"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

from typing import Any

import cohere
import pytest
from both import done, drained
from cohere_spans import CALL, RANK
from sent_content import ContentSink

from otel_agentops.testing.fake_provider import FakeProvider, Status


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, co: Any) -> None:
    provider.script(Status(503, retry_after=0.01), Status(429, retry_after=0.01))
    await done(co.chat(**CALL))
    await done(co.rerank(**RANK))
    provider.script(Status(429))
    with pytest.raises(cohere.TooManyRequestsError):
        await drained(co.chat_stream(**CALL))
    sink.assert_received(provider, 5)
