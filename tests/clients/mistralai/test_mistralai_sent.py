"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

from typing import Any

from both import done, drained
from mistralai.client.utils import BackoffStrategy, RetryConfig
from sent_content import ContentSink

from otel_agentops.testing.fake_provider import FakeProvider, Status

CALL: Any = {"model": "m-x", "messages": [{"role": "user", "content": "Grüße"}]}
RETRIES = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), True)


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, mistral: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    await done(mistral.call("chat.complete", **CALL, retries=RETRIES))
    await drained(await done(mistral.call("chat.stream", **CALL)))
    sink.assert_received(provider, 4)
