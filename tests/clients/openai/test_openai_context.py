"""Where a span stands: below the application's, above the request, and current for no longer than the call."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import openai
import pytest
from both import done, drained, each
from openai_spans import CHAT, COUNTED, STREAM, httpx, span
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_agentops import _telemetry
from otel_agentops._config import Config
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

ASK: Any = [{"role": "user", "content": "hi"}]


async def test_http_span_is_a_child_of_the_call(provider: FakeProvider, kind: str, seen: Capture) -> None:
    """An instrumented HTTP client finds our span current, and so does a log record."""
    tracer = seen.tracer_provider.get_tracer("http")

    def sent(request: Any) -> None:
        tracer.start_span("POST").end()

    async def async_sent(request: Any) -> None:
        sent(request)

    if kind == "sync":
        client: Any = openai.OpenAI(
            api_key="k", base_url=provider.openai_url, http_client=httpx.Client(event_hooks={"request": [sent]})
        )
    else:
        http = httpx.AsyncClient(event_hooks={"request": [async_sent]})
        client = openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url, http_client=http)
    with tracer.start_as_current_span("handler"):
        await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    await done(client.close())
    assert [(found["name"], found["parent"]) for found in seen.spans] == [
        ("POST", "chat gpt-x"),
        ("chat gpt-x", "handler"),
        ("handler", None),
    ]


async def test_span_is_not_current_after_the_call(provider: FakeProvider, client: Any, seen: Capture) -> None:
    tracer = seen.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("handler") as handler:
        await done(client.chat.completions.create(model="gpt-x", messages=ASK))
        assert trace.get_current_span() is handler
        stream = await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True))
        assert trace.get_current_span() is handler
        async for _ in each(stream):
            assert trace.get_current_span() is handler
        provider.script(Status(500))
        with pytest.raises(openai.InternalServerError):
            await done(client.embeddings.create(model="gpt-x", input="hi"))
        assert trace.get_current_span() is handler


async def test_a_stream_read_elsewhere_stays_below_its_caller(
    provider: FakeProvider, client: Any, seen: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = seen.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("caller"):
        stream = await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True))
    with tracer.start_as_current_span("reader"):
        await drained(stream)
    [found] = [found for found in seen.spans if found["name"] == "chat gpt-x"]
    assert found == span(provider, CHAT, STREAM, without=(*COUNTED,), parent="caller")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []  # no failed detach


async def test_suppressed_call_makes_no_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    with suppress_instrumentation():
        answer = await done(client.chat.completions.create(model="gpt-x", messages=ASK))
        assert (
            len(await drained(await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True))))
            == 4
        )
    assert answer.id == "chatcmpl-fake"
    assert (seen.spans, seen.metrics) == ([], {})


async def test_enrich_mode_without_a_foreign_span_makes_none(
    provider: FakeProvider, client: Any, instrumentor: Any, seen: Capture
) -> None:
    instrumentor.libraries[0].install(_telemetry.Telemetry(Config(mode="enrich"), **seen.providers))
    await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    await drained(await done(client.chat.completions.create(model="gpt-x", messages=ASK, stream=True)))
    assert (seen.spans, seen.metrics) == ([], {})


async def test_concurrent_calls_keep_their_own_span(provider: FakeProvider, seen: Capture) -> None:
    """Sixteen at a time on one client: each span has its own model and its own attempts."""
    client = openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    names = [f"gpt-{number}" for number in range(16)]
    await asyncio.gather(*(client.chat.completions.create(model=name, messages=ASK) for name in names))
    await client.close()
    facts = ("gen_ai.request.model", "gen_ai.response.model")
    assert sorted(tuple(found["attributes"][fact] for fact in facts) for found in seen.spans) == sorted(
        (name, name) for name in names
    )
    assert [found["attributes"]["otel_agentops.attempt.count"] for found in seen.spans] == [1] * 16
