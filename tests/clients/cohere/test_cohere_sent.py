"""The exact bytes of every attempt reach the sinks that want them."""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from typing import Any

import cohere
import pytest
from both import done, drained
from cohere.core.http_client import HttpClient
from cohere_spans import CALL, RANK
from cohere_subject import COUNTED
from sent_content import ContentSink

from otel_agentops.testing.fake_provider import FakeProvider, Status

# The oldest versions repeat nothing unless a call asks for it; newer ones have a number for the client.
REPEATS_UNASKED = "base_max_retries" in inspect.signature(HttpClient).parameters


@pytest.fixture(autouse=True)
def _wait_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client repeat at once: it takes whole seconds alone from Retry-After."""
    monkeypatch.setattr("cohere.core.http_client.INITIAL_RETRY_DELAY_SECONDS", 0)


async def test_content_of_every_attempt_is_exact(provider: FakeProvider, sink: ContentSink, co: Any) -> None:
    provider.script(Status(503), Status(429))
    await done(co.chat(**CALL, request_options={"max_retries": COUNTED + 2}))
    await done(co.rerank(**RANK))
    provider.script(Status(429))
    with pytest.raises(cohere.TooManyRequestsError):
        await drained(co.chat_stream(**CALL))
    sink.assert_received(provider, 5)


async def test_content_of_unasked_repeats_is_exact(provider: FakeProvider, sink: ContentSink, co: Any) -> None:
    provider.script(Status(503), Status(429))
    with nullcontext() if REPEATS_UNASKED else pytest.raises(cohere.ServiceUnavailableError):
        await done(co.chat(**CALL))
    sink.assert_received(provider, 3 if REPEATS_UNASKED else 1)
