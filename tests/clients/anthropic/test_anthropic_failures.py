"""Attempts and errors: one span an operation, each HTTP try in it with its status and what it was asked to wait."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from both import done, drained
from expected_claude import CALL, UNTRACED, failed, streamed, whole

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Break, FakeProvider, Hang, Malformed, Status


def tries(*statuses: int, waits: list[float] | None = None) -> dict[str, Any]:
    found = {"otel_agentops__attempt__count": len(statuses), "otel_agentops__attempt__statuses": list(statuses)}
    return {**found, "otel_agentops__attempt__retry_after": waits}


async def test_attempts(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Status(429, retry_after=0.02), Status(529, retry_after=0.01))
    await done(claude.messages.create(**CALL))
    assert seen.spans == [whole(provider, **tries(429, 529, 200, waits=[0.02, 0.01]))]
    assert [request.headers["x-stainless-retry-count"] for request in provider.requests] == ["0", "1", "2"]


async def test_attempts_of_a_stream(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Status(529, retry_after=0.01))
    await drained(await done(claude.messages.create(**CALL, stream=True)))
    assert seen.spans == [streamed(provider, **tries(529, 200, waits=[0.01]))]


async def test_exhausted_attempts_are_recorded(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(*[Status(529, retry_after=0.01)] * 2)
    with pytest.raises(anthropic.APIStatusError) as raised:
        await done(make(max_retries=1, **UNTRACED).messages.create(**CALL))
    assert raised.value.status_code == 529
    assert seen.spans == [failed(provider, "anthropic.OverloadedError", **tries(529, 529, waits=[0.01, 0.01]))]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, "BadRequestError"), (401, "AuthenticationError"), (404, "NotFoundError"), (422, "UnprocessableEntityError")],
)
async def test_errors_without_a_retry_have_one_attempt(
    provider: FakeProvider, seen: Capture, claude: Any, status: int, error: str
) -> None:
    provider.script(Status(status))
    with pytest.raises(getattr(anthropic, error)):
        await done(claude.messages.create(**CALL))
    assert seen.spans == [failed(provider, f"anthropic.{error}", **tries(status))]


async def test_refused_stream_has_its_error(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Status(400))
    with pytest.raises(anthropic.BadRequestError):
        await done(claude.messages.create(**CALL, stream=True))
    assert seen.spans == [failed(provider, "anthropic.BadRequestError", gen_ai__request__stream=True, **tries(400))]


async def test_lost_connection_has_status_0(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Break())
    with pytest.raises(anthropic.APIConnectionError):
        await done(make(max_retries=0, **UNTRACED).messages.create(**CALL))
    assert seen.spans == [failed(provider, "anthropic.APIConnectionError", **tries(0))]


async def test_a_timeout(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Hang(5))
    with pytest.raises(anthropic.APITimeoutError):
        await done(make(max_retries=0, timeout=0.05, **UNTRACED).messages.create(**CALL))
    assert seen.spans == [failed(provider, "anthropic.APITimeoutError", **tries(0))]


async def test_malformed_answer_has_its_error(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Malformed())
    with pytest.raises(ValueError, match="property name"):
        await done(claude.messages.create(**CALL))
    unreported = {"otel_agentops__model__resolution": "unreported"}
    assert seen.spans == [failed(provider, "json.decoder.JSONDecodeError", **tries(200), **unreported)]


async def test_middleware_counts_each_attempt_once(provider: FakeProvider, seen: Capture, make: Any) -> None:
    def ask(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def ask_async(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    plain = make(**UNTRACED)
    client = plain.copy(middleware=[ask_async if "Async" in type(plain).__name__ else ask])
    provider.script(Status(429, retry_after=0.01))
    await done(client.messages.create(**CALL))
    provider.script(Status(400))
    with pytest.raises(anthropic.BadRequestError):
        await done(client.messages.create(**CALL))
    assert seen.spans == [
        whole(provider, **tries(429, 200, waits=[0.01])),
        failed(provider, "anthropic.BadRequestError", **tries(400)),
    ]


async def test_call_that_is_never_sent_makes_no_span(seen: Capture, claude: Any) -> None:
    with pytest.raises(TypeError):
        await done(claude.messages.create(model="claude-x", max_tokens=9))
    assert seen.spans == []
