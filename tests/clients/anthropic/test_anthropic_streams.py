"""Streams: one span from the request to the last event that the application took, however it takes them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import anthropic
import pytest
from both import block, done, drained, each
from expected_claude import ANSWERED, ASK, CALL, SENT, STREAMED, UNTRACED, span, streamed

from otel_agentops._hashing import identity
from otel_agentops.clients._protocols.anthropic_messages import finish_message, fold_event
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Answer, Break, Fail, FakeProvider, Malformed

# What is known of a stream after its first event: not how it ends, and not how long the answer is.
BEGUN = {"gen_ai__response__finish_reasons": None, "gen_ai__usage__output_tokens": None}


async def test_create(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    assert seen.spans == []
    assert isinstance(stream, (anthropic.Stream, anthropic.AsyncStream))
    assert [event.type for event in await drained(stream)][-1] == "message_stop"
    assert seen.spans == [streamed(provider)]


async def test_create_beta(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    await drained(await done(claude.beta.messages.create(**CALL, stream=True)))
    assert seen.spans == [streamed(provider)]


async def test_manager_events(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.stream(**CALL)) as stream:
        kinds = [event.type for event in await drained(stream)]
        assert seen.spans == [streamed(provider)], "the span ends with the last event, not with the block"
    assert {"message_start", "text", "message_stop"} <= set(kinds), "with the helper's own events"
    assert seen.spans == [streamed(provider)]


async def test_manager_text(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.stream(**CALL)) as stream:
        assert "".join(await drained(stream.text_stream)) == "Hello there."
    assert seen.spans == [streamed(provider)]


@pytest.mark.parametrize("wanted", ["get_final_message", "get_final_text", "until_done"])
async def test_manager_final(provider: FakeProvider, seen: Capture, claude: Any, wanted: str) -> None:
    async with block(claude.messages.stream(**CALL)) as stream:
        await done(getattr(stream, wanted)())
        assert (await done(stream.get_final_message())).usage.output_tokens == 5
    assert seen.spans == [streamed(provider)]


async def test_manager_beta(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.beta.messages.stream(**CALL)) as stream:
        await done(stream.until_done())
    assert seen.spans == [streamed(provider)]


@pytest.mark.filterwarnings("ignore:coroutine 'AsyncAPIClient.post' was never awaited")
async def test_stream_manager_never_entered_makes_no_call(seen: Capture, claude: Any) -> None:
    manager = claude.messages.stream(**CALL)
    del manager
    gc.collect()
    assert seen.spans == []


async def test_raw_response(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    response = await done(claude.messages.with_raw_response.create(**CALL, stream=True))
    assert response.headers["request-id"] == "req_fake"
    await drained(await done(response.parse()))
    assert seen.spans == [streamed(provider)]


async def test_streaming_response(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.with_streaming_response.create(**CALL, stream=True)) as response:
        await drained(await done(response.parse()))
    assert seen.spans == [streamed(provider)]


async def test_streaming_response_read_as_lines(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.with_streaming_response.create(**CALL, stream=True)) as response:
        assert "event: message_stop" in await drained(response.iter_lines())
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [200]
    assert "gen_ai.usage.input_tokens" not in only["attributes"], "the application read it past the client: unknown"


async def test_abandoned_stream_ends_its_span_with_known_values(
    provider: FakeProvider, seen: Capture, claude: Any
) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    async for _ in each(stream):
        break
    await done(stream.close())
    assert seen.spans == [streamed(provider, **BEGUN)]


async def test_leaving_a_stream_manager_ends_the_span(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    async with block(claude.messages.stream(**CALL)) as stream:
        async for _ in each(stream):
            break
    assert seen.spans == [streamed(provider, **BEGUN)]


async def test_closing_twice_ends_once(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    await drained(stream)
    await done(stream.close())
    await done(stream.close())
    assert seen.spans == [streamed(provider)]


async def test_closing_before_the_first_event_ends_the_span(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    await done(stream.close())
    kept = {"otel_agentops.attempt.count": 1, "otel_agentops.attempt.statuses": [200], "gen_ai.request.stream": True}
    assert seen.spans == [span(provider, {**SENT, **kept})]


async def test_a_dropped_stream_ends_its_span(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    await done(stream.__anext__() if hasattr(stream, "__anext__") else next(stream))
    del stream
    gc.collect()
    for _ in range(10):  # an async generator is finalised by its loop, some rounds later
        await asyncio.sleep(0)
    assert seen.spans == [streamed(provider, **BEGUN)]


def test_ending_event_loop_ends_the_span(
    provider: FakeProvider, seen: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop closes all asynchronous generators at once, the client's and ours around it."""

    async def leave_it() -> Any:
        claude = anthropic.AsyncAnthropic(api_key="k", base_url=provider.anthropic_url, **UNTRACED)
        stream = await claude.messages.create(**CALL, stream=True)
        await stream.__anext__()
        return stream

    for _ in range(10):  # in which order it closes them is a matter of their addresses
        asyncio.run(leave_it())
    assert seen.spans == [streamed(provider, **BEGUN)] * 10
    ours = ("AsyncStream.__stream__", "_async_watched")  # the HTTP client's own generators meet without us, too
    said = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert [message for message in said if any(name in message for name in ours)] == []


async def test_application_error_is_not_recorded_on_the_span(
    provider: FakeProvider, seen: Capture, claude: Any
) -> None:
    with pytest.raises(KeyError):
        async with block(claude.messages.stream(**CALL)) as stream:
            async for _ in each(stream):
                raise KeyError("mine")
    assert seen.spans == [streamed(provider, **BEGUN)]


async def test_error_event_in_a_stream_is_recorded(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Fail(after=2))
    stream = await done(claude.messages.create(**CALL, stream=True))
    with pytest.raises(anthropic.APIStatusError):
        await drained(stream)
    known = {name.replace("__", "."): value for name, value in BEGUN.items()}
    expected = {**SENT, **ANSWERED, **STREAMED, **known, "error.type": "anthropic.APIStatusError"}
    assert seen.spans == [span(provider, expected, status="ERROR")]


async def test_truncated_stream_has_no_finish_reason(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    """The SDK skips an event that has no name and raises nothing: neither do we, and the end stays unknown."""
    provider.script(Malformed(after=2))
    events = await drained(await done(claude.messages.create(**CALL, stream=True)))
    assert [event.type for event in events] == ["message_start", "content_block_start"]
    assert seen.spans == [streamed(provider, **BEGUN)]


async def test_cut_connection_is_an_error(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.script(Break(after=2))
    with pytest.raises(Exception, match="peer closed"):
        await drained(await done(claude.messages.create(**CALL, stream=True)))
    (only,) = seen.spans
    assert (only["status"], only["attributes"]["error.type"]) == ("ERROR", "httpx2.RemoteProtocolError")
    assert only["attributes"]["gen_ai.response.model"] == "claude-x-20260301"


async def test_thinking_tools_and_cache(provider: FakeProvider, seen: Capture, claude: Any) -> None:
    provider.answer(lambda call: Answer(thinking="Hm.", input_tokens=20, cached_tokens=8, cache_write_tokens=2))
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    await drained(await done(claude.messages.create(**CALL, stream=True, tools=[tool])))
    value = identity(tool)
    assert seen.spans == [
        streamed(
            provider,
            gen_ai__usage__cache_creation__input_tokens=2,
            gen_ai__usage__cache_read__input_tokens=8,
            gen_ai__usage__input_tokens=20,
            gen_ai__usage__reasoning__output_tokens=2,
            otel_agentops__tools__hash=identity([value]),
            otel_agentops__tools__versions=[f"weather@{value}"],
        )
    ]


async def test_span_is_not_current_while_a_stream_is_read(seen: Capture, claude: Any) -> None:
    stream = await done(claude.messages.create(**CALL, stream=True))
    async for _ in each(stream):
        seen.tracer_provider.get_tracer("app").start_span("between").end()
        break
    await done(stream.close())
    assert {span["name"]: span["parent"] for span in seen.spans} == {"between": None, "chat claude-x": None}


async def test_measurements(seen: Capture, claude: Any) -> None:
    await drained(await done(claude.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True)))
    (first,) = seen.metrics["gen_ai.client.operation.time_to_first_chunk"]
    assert (first["count"], first["sum"]) == (1, SECONDS)
    assert [point["sum"] for point in seen.metrics["gen_ai.client.token.usage"]] == [11, 5]


def test_requested_tools_of_a_stream_are_known() -> None:
    """Not those that the provider executes, whose arguments come in the same way."""

    def begins(index: int, kind: str, **more: str) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **more}}

    def part(index: int, text: str) -> dict[str, Any]:
        delta = {"type": "input_json_delta", "partial_json": text}
        return {"type": "content_block_delta", "index": index, "delta": delta}

    events = [
        begins(0, "text"),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me see."}},
        begins(1, "tool_use", name="look"), part(1, ""), part(1, '{"a"'), part(1, ": 1}"),
        begins(2, "server_tool_use", name="web_search"), part(2, '{"query": "x"}'),
        begins(3, "tool_use", name="see"),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]  # fmt: skip
    state: dict[str, Any] = {}
    assert [fold_event(state, event) for event in events] == [False] * 10 + [True]
    assert finish_message(state).tool_calls == [("look", '{"a": 1}'), ("see", "")]
