"""Where our span is current: while the request is on its way, for asyncio as well, whose hooks run in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import mistralai.client.httpclient
import pytest
from both import done, drained
from mistralai.client.utils import BackoffStrategy, RetryConfig
from mistralai_spans import CALL
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from speakeasy import Bound

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

httpx: Any = mistralai.client.httpclient.httpx  # the one that this version uses


@pytest.fixture
def sent_in() -> list[Any]:
    """The spans that were current when a request left."""
    return []


@pytest.fixture
def watched(kind: str, provider: FakeProvider, sent_in: list[Any]) -> Any:
    """A client that says what is current where it sends."""

    def see(request: Any) -> None:
        sent_in.append(trace.get_current_span())

    async def async_see(request: Any) -> None:
        see(request)

    made: dict[str, Any] = {
        "client": httpx.Client(event_hooks={"request": [see]}),
        "async_client": httpx.AsyncClient(event_hooks={"request": [async_see]}),
    }
    url = f"{provider.url}/mistral"
    return Bound(kind, mistralai.client.Mistral(api_key="k", server_url=url, **made))


@pytest.mark.parametrize("method", ["chat.complete", "chat.stream"])
async def test_our_span_is_current_while_the_request_leaves(
    seen: Capture, watched: Any, sent_in: list[Any], method: str
) -> None:
    before = trace.get_current_span()
    result = await done(watched.call(method, **CALL))
    assert trace.get_current_span() is before, "and no longer, when the application has its result"
    if method == "chat.stream":
        await drained(result)
    (found,) = seen.finished_spans
    assert [span.get_span_context() for span in sent_in] == [found.context]


async def test_our_span_is_current_during_a_retry(
    provider: FakeProvider, seen: Capture, watched: Any, sent_in: list[Any]
) -> None:
    provider.script(Status(429), Status(503))
    before = trace.get_current_span()
    retries = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), True)
    await done(watched.call("chat.complete", retries=retries, **CALL))
    (found,) = seen.finished_spans
    assert [span.get_span_context() for span in sent_in] == [found.context] * 3
    assert trace.get_current_span() is before


@pytest.mark.parametrize("kind", ["async"])
async def test_call_cancelled_in_its_hooks_makes_no_span(
    seen: Capture, watched: Any, sent_in: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The thread cannot be cancelled with it, and comes too late."""
    entered, go_on, over = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def before_request(self, hook_ctx: Any, request: Any) -> Any:
            entered.set()
            go_on.wait(5)
            over.set()
            return request

    class Begun(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            begun.append(span.name)

    begun: list[str] = []
    seen.tracer_provider.add_span_processor(Begun())
    watched.sdk.sdk_configuration.__dict__["_hooks"].register_before_request_hook(Slow())
    call = asyncio.ensure_future(watched.call("chat.complete", **CALL))
    assert await asyncio.to_thread(entered.wait, 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with caplog.at_level(logging.WARNING):
        go_on.set()
        assert await asyncio.to_thread(over.wait, 5)
        await asyncio.sleep(0.05)
    assert (begun, sent_in, caplog.messages) == ([], [], [])
    assert not trace.get_current_span().is_recording()
