"""One call is one span however often it was tried; every try is in it with its status."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import openai
import pytest
from both import done, drained
from openai_spans import CHAT, STREAM, span

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Break, FakeProvider, Hang, Ok, Status

ASK: Any = [{"role": "user", "content": "hi"}]
NO_ANSWER = tuple(
    key
    for key in CHAT
    if key.startswith(("gen_ai.response.", "gen_ai.usage.", "openai.response.")) or key.endswith("model.resolution")
)


async def say(client: Any, **more: Any) -> Any:
    return await done(client.chat.completions.create(model="gpt-x", messages=ASK, **more))


def tried(*statuses: int, after: tuple[float, ...] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {"otel_agentops.attempt.retry_after": list(after)} if after else {}
    return {"otel_agentops.attempt.count": len(statuses), "otel_agentops.attempt.statuses": list(statuses), **told}


async def test_retried_call_records_every_attempt(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(429, retry_after=0.01), Status(500, retry_after=0.02))
    assert (await say(client.with_options(max_retries=2))).id == "chatcmpl-fake"
    assert seen.spans == [span(provider, CHAT, tried(429, 500, 200, after=(0.01, 0.02)))]


async def test_retried_stream_records_every_attempt(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(503, retry_after=0.01))
    options: Any = {"include_usage": True}
    await drained(await say(client.with_options(max_retries=1), stream=True, stream_options=options))
    assert seen.spans == [span(provider, CHAT, STREAM, tried(503, 200, after=(0.01,)))]


async def test_retried_raw_response_records_every_attempt(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(429, retry_after=0.01))
    await done(
        client.with_options(max_retries=1).chat.completions.with_raw_response.create(model="gpt-x", messages=ASK)
    )
    assert seen.spans == [span(provider, CHAT, tried(429, 200, after=(0.01,)))]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client does not wait before it tries again."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0)


async def test_broken_connection_is_an_attempt_with_status_0(
    provider: FakeProvider, client: Any, seen: Capture, at_once: None
) -> None:
    provider.script(Break())
    await say(client.with_options(max_retries=1))
    assert seen.spans == [span(provider, CHAT, tried(0, 200))]


async def test_timed_out_attempt_has_status_0(
    provider: FakeProvider, client: Any, seen: Capture, at_once: None
) -> None:
    provider.script(Hang(5), Ok())
    await say(client.with_options(max_retries=1, timeout=0.2))
    assert seen.spans == [span(provider, CHAT, tried(0, 200))]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
async def test_refused_call_has_its_error(
    provider: FakeProvider, client: Any, seen: Capture, status: int, error: Any
) -> None:
    provider.script(Status(status))
    with pytest.raises(error):
        await say(client)
    failed = {"error.type": f"openai.{error.__name__}"}
    assert seen.spans == [span(provider, CHAT, tried(status), failed, without=NO_ANSWER, status="ERROR")]


async def test_exhausted_attempts_are_recorded(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Status(429, retry_after=0.01), Status(429, retry_after=30))
    with pytest.raises(openai.RateLimitError):
        await say(client.with_options(max_retries=1))
    failed = {"error.type": "openai.RateLimitError", **tried(429, 429, after=(0.01, 30))}
    assert seen.spans == [span(provider, CHAT, failed, without=NO_ANSWER, status="ERROR")]


async def test_final_timeout_is_recorded(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Hang(5))
    with pytest.raises(openai.APITimeoutError):
        await say(client.with_options(timeout=0.2))
    failed = {"error.type": "openai.APITimeoutError", **tried(0)}
    assert seen.spans == [span(provider, CHAT, failed, without=NO_ANSWER, status="ERROR")]


async def test_unreachable_server_is_an_error(provider: FakeProvider, kind: str, seen: Capture) -> None:
    made: Any = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
    with pytest.raises(openai.APIConnectionError):
        await say(made(api_key="k", base_url="http://127.0.0.1:1/v1", max_retries=0))
    failed = {"error.type": "openai.APIConnectionError", "server.port": 1, **tried(0)}
    assert seen.spans == [span(provider, CHAT, failed, without=NO_ANSWER, status="ERROR")]


@pytest.mark.parametrize("kind", ["async"])
async def test_a_cancelled_call(provider: FakeProvider, client: Any, kind: str, seen: Capture) -> None:
    provider.script(Hang(5))
    call = asyncio.create_task(say(client))
    while not provider.requests:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    failed = {"error.type": "asyncio.exceptions.CancelledError", **tried(0)}
    assert seen.spans == [span(provider, CHAT, failed, without=NO_ANSWER, status="ERROR")]


@pytest.mark.parametrize("kind", ["async"])
async def test_a_cancelled_reader(provider: FakeProvider, client: Any, kind: str, seen: Capture) -> None:
    provider.script(Hang(5, after=2))
    read: list[Any] = []

    async def reader() -> None:
        async for chunk in await say(client, stream=True):
            read.append(chunk)

    reading = asyncio.create_task(reader())
    while len(read) < 2:
        await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    del reading
    gc.collect()
    without = (*(key for key in NO_ANSWER if key.startswith("gen_ai.usage.")), "gen_ai.response.finish_reasons")
    failed = {"error.type": "asyncio.exceptions.CancelledError"}
    assert seen.spans == [span(provider, CHAT, STREAM, failed, without=without, status="ERROR")]


async def test_calls_without_a_model_make_no_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    for call in (client.models.list, lambda: client.moderations.create(input="hi")):
        with pytest.raises(openai.NotFoundError):
            await done(call())
    assert seen.spans == []
