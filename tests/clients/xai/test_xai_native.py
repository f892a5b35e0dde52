"""The SDK's own tracing: its span is enriched, never doubled, and keeps its name, its status and all it says."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import grpc
import pytest
import xai_sdk.aio.chat
import xai_sdk.sync.chat
from both import done, drained, each
from grok_spans import ANSWERED, CALL, HEAD, NATIVE, NATIVE_ALWAYS, NATIVE_ASKED, SENT, STREAMED, server, span
from opentelemetry.trace import NoOpTracer
from xai_subject import XaiSubject

from otel_agentops import task
from otel_agentops.clients.xai import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Break, Fail, Status
from otel_agentops.testing.fake_provider.xai import XaiProvider

FAST = {"interval": datetime.timedelta(milliseconds=1)}
START = {"gen_ai.completion.start_time": "a time"}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Callable[[Capture], None]:
    """Has the SDK trace into a capture, as it does by itself into a global provider."""

    def trace(seen: Capture) -> None:
        for module in (xai_sdk.sync.chat, xai_sdk.aio.chat):
            monkeypatch.setattr(module, "tracer", seen.tracer_provider.get_tracer(module.__name__))

    return trace


@pytest.fixture(autouse=True)
def native(seen: Capture, traced: Callable[[Capture], None]) -> None:
    traced(seen)


def spans(seen: Capture) -> list[dict[str, Any]]:
    """What was emitted, without the one time that the SDK writes as a text."""
    found = seen.spans
    for each_span in found:
        each_span["attributes"].update({key: START[key] for key in START if key in each_span["attributes"]})
    return found


def enriched(name: str, theirs: dict[str, Any], ours: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The SDK's span: what it says stays, what it lacks is ours."""
    return span({"server.address": "127.0.0.1", **ours, **theirs, **more}, name=f"{name} grok-x")


async def test_sample(seen: Capture, grok: Any) -> None:
    await done(grok.chat.create(**CALL).sample())
    assert spans(seen) == [enriched("chat.sample", NATIVE, {**SENT, **ANSWERED})]
    assert [point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]] == [11, 5], "the SDK measures nothing"


async def test_native_span_without_us_is_known(
    provider: XaiProvider, kind: str, seen: Capture, traced: Callable[[Capture], None]
) -> None:
    """Where this changes, what is missing on its span has changed."""
    Instrumentor().uninstrument()
    client = XaiSubject().client(kind, provider)
    await done(client.chat.create(**CALL).sample())
    await drained(client.chat.create(**CALL).stream())
    sampled, streamed = spans(seen)
    assert sampled == span(NATIVE, name="chat.sample grok-x")
    assert streamed == span({**NATIVE, **START}, name="chat.stream grok-x")


async def test_stream(seen: Capture, grok: Any) -> None:
    await drained(grok.chat.create(**CALL).stream())
    expected = enriched("chat.stream", {**NATIVE, **START}, {**SENT, **ANSWERED, **STREAMED})
    assert spans(seen) == [expected]
    assert len(seen.metrics["gen_ai.client.operation.duration"]) == 1


async def test_native_span_without_content_telemetry_is_completed(
    seen: Capture, grok: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it says next to nothing, and the span is as complete as ours."""
    monkeypatch.setenv("XAI_SDK_DISABLE_SENSITIVE_TELEMETRY_ATTRIBUTES", "1")
    await done(grok.chat.create(**CALL).sample())
    await drained(grok.chat.create(**CALL).stream())
    sampled, streamed = spans(seen)
    assert sampled == enriched("chat.sample", NATIVE_ALWAYS, {**SENT, **ANSWERED})
    assert streamed == enriched("chat.stream", {**NATIVE_ALWAYS, **START}, {**SENT, **ANSWERED, **STREAMED})


async def test_abandoned_stream_has_what_the_first_chunk_said(seen: Capture, grok: Any) -> None:
    """The SDK ends its span when it is left; what the first chunk said is on it by then."""
    stream = grok.chat.create(**CALL).stream()
    async for _ in each(stream):
        break
    await done(stream.aclose() if hasattr(stream, "aclose") else stream.close())
    expected = enriched("chat.stream", {**NATIVE_ASKED, **START}, {**SENT, **HEAD, **STREAMED})
    assert spans(seen) == [expected]


async def test_deferred(seen: Capture, grok: Any) -> None:
    await done(grok.chat.create(**CALL).defer(**FAST))
    assert spans(seen) == [enriched("chat.defer", NATIVE, {**SENT, **ANSWERED})]


async def test_refused(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    """The type of the error is the status; its own span has the error and the exception's event from the SDK."""
    provider.script(Status(429), Status(400), Break(after=1))
    chat = grok.chat.create(**CALL)
    for call in (chat.sample, chat.defer):
        with pytest.raises(grpc.RpcError):
            await done(call())
    with pytest.raises(grpc.RpcError):
        await drained(chat.stream())
    sampled, deferred, streamed = spans(seen)
    error = {"status": "ERROR"}
    assert sampled == enriched("chat.sample", NATIVE_ASKED, SENT, **{"error.type": "RESOURCE_EXHAUSTED"}) | error
    assert deferred == enriched("chat.defer", NATIVE_ASKED, SENT, **{"error.type": "INVALID_ARGUMENT"}) | error
    ours = {**SENT, **HEAD, **STREAMED, "error.type": "UNAVAILABLE"}
    assert streamed == enriched("chat.stream", {**NATIVE_ASKED, **START}, ours) | error


async def test_expired(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    provider.script(Fail())
    with pytest.raises(RuntimeError, match="expired"):
        await done(grok.chat.create(**CALL).defer(**FAST))
    (found,) = seen.spans
    assert (found["name"], found["status"], found["attributes"]["error.type"]) == (
        "chat.defer grok-x",
        "ERROR",
        "EXPIRED",
    )


async def test_task_sums(seen: Capture, grok: Any) -> None:
    """Tokens as the convention counts them, whatever the SDK's span says; attempts are unknown, and no number."""
    with task("refund", id="t1"):
        await done(grok.chat.create(**CALL).sample())
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.llm_calls"] == 1
    assert (root["otel_agentops.task.input_tokens"], root["otel_agentops.task.output_tokens"]) == (11, 5)
    assert "otel_agentops.task.llm_attempts" not in root


@pytest.mark.parametrize(("mode", "names"), [("own", ["chat grok-x", "chat.sample grok-x"]), ("enrich", [])])
async def test_modes(
    provider: XaiProvider,
    kind: str,
    traced: Callable[[Capture], None],
    seen: Capture,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    names: list[str],
) -> None:
    """own: a second span, as asked for. enrich: none where nobody else makes one."""
    Instrumentor().uninstrument()
    monkeypatch.setenv("OTEL_AGENTOPS_MODE", mode)
    with capture(Instrumentor()) as other:
        traced(other if mode == "own" else seen)
        if mode == "enrich":
            monkeypatch.setattr(xai_sdk.sync.chat, "tracer", NoOpTracer())
            monkeypatch.setattr(xai_sdk.aio.chat, "tracer", NoOpTracer())
        await done(XaiSubject().client(kind, provider).chat.create(**CALL).sample())
        assert [found["name"] for found in other.spans] == names
        if mode == "own":
            ours, theirs = other.spans
            assert ours["attributes"] == {**SENT, **ANSWERED, **server(provider)}
            assert theirs == span(NATIVE, name="chat.sample grok-x")
