"""What the client makes of one call of the application: rounds of function calling, chats, streams that start late."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from both import done, drained, each, following
from expected_gemini import streamed, whole
from google.genai import errors
from google_genai_subject import ERRORS_IN_STREAMS

from otel_agentops import task
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Answer, Call, Fail, FakeProvider, Malformed, Status, ToolCall

TOWN = ToolCall("weather", '{"town": "Rome"}')


def weather(town: str) -> str:
    """The weather in a town."""
    return "sunny"


def once_a_tool(call: Call) -> Answer:
    """The model wants the tool called as long as it has not seen its result."""
    return Answer() if "functionResponse" in str(call.body) else Answer(text="", tool_calls=(TOWN,))


def hashes(seen: Capture) -> set[str]:
    return {found["attributes"]["otel_agentops.tools.hash"] for found in seen.spans if "generate" in found["name"]}


# -- automatic function calling


async def test_each_round_is_a_call(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    provider.answer(once_a_tool)
    with task("forecast", id="t1"):
        answer = await done(
            gemini.models.generate_content(model="gemini-x", contents="hi", config={"tools": [weather]})
        )
    assert answer.text == "Hello there."
    assert len(provider.requests) == 2
    first, execution, second, root = seen.spans
    assert first == second, "one tool set, one identity; the reason is STOP where a tool is called, too"
    assert [first["name"], execution["name"]] == ["generate_content gemini-x", "execute_tool weather"]
    sums = {"llm_calls": 2, "tool_calls": 1, "llm_attempts": 2, "input_tokens": 22, "output_tokens": 10}
    assert {f"otel_agentops.task.{name}": count for name, count in sums.items()}.items() <= root["attributes"].items()


async def test_each_round_of_a_stream_is_a_call(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    provider.answer(once_a_tool)
    chunks = await drained(
        await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi", config={"tools": [weather]}))
    )
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello there."
    names = ["generate_content gemini-x", "execute_tool weather", "generate_content gemini-x"]
    assert sorted(found["name"] for found in seen.spans) == sorted(names)
    assert len(hashes(seen)) == 1


async def test_repeated_tool_call_requests_are_counted(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    """A plain answer and a stream say alike which tool they want called."""
    provider.answer(lambda call: Answer(text="", tool_calls=(TOWN,)))
    off = {"tools": [weather], "automatic_function_calling": {"disable": True}}
    with task("forecast", id="t1"):
        await done(gemini.models.generate_content(model="gemini-x", contents="hi", config=off))
        await drained(await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi", config=off)))
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_repeats"] == 2


async def test_chat_sends_one_span_per_message(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    chat = gemini.chats.create(model="gemini-x", config={"system_instruction": "Be brief."})
    await done(chat.send_message("hi"))
    await drained(await done(chat.send_message_stream("and?")))
    plain, stream = seen.spans
    prompt = {key: plain["attributes"][key] for key in ("otel_agentops.prompt.hash", "otel_agentops.prompt.source")}
    asked = {key.replace(".", "__"): value for key, value in prompt.items()}
    assert plain == whole(provider, **asked)
    assert stream == streamed(provider, **asked)
    assert len(provider.requests[-1].body["contents"]) == 3


# -- streams


async def test_stream_never_read_makes_no_call(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    stream = await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi"))
    assert provider.requests == []
    del stream
    gc.collect()
    assert seen.spans == []


async def test_stream_keeps_the_type_of_the_client(seen: Capture, kind: str, gemini: Any) -> None:
    stream = await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi"))
    assert type(stream).__name__ == ("generator" if kind == "sync" else "async_generator")
    await drained(stream)


async def test_closed_stream_ends_its_span(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    """It ends then, with what was known; the async one a moment later, when the loop finalises what is inside it."""
    stream = await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi"))
    await following(stream)
    await done((getattr(stream, "aclose", None) or stream.close)())
    for _ in range(5):
        await asyncio.sleep(0)
    known = dict.fromkeys(
        [
            "gen_ai__response__finish_reasons",
            "gen_ai__usage__output_tokens",
            "gen_ai__usage__cache_read__input_tokens",
            "gen_ai__usage__reasoning__output_tokens",
        ]
    )
    assert seen.spans == [streamed(provider, **known)]


@pytest.mark.skipif(not ERRORS_IN_STREAMS, reason="this version takes an error in a stream for an empty chunk")
async def test_error_in_a_stream_is_recorded(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    provider.script(Fail(after=1))
    stream = await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi"))
    with pytest.raises(errors.ServerError):
        await drained(stream)
    (only,) = seen.spans
    assert (only["status"], only["attributes"]["error.type"]) == ("ERROR", "500")
    assert only["attributes"]["gen_ai.response.model"] == "gemini-x-001"
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [200]


@pytest.mark.parametrize("after", [0, 1])
async def test_malformed_stream_is_an_error(provider: FakeProvider, seen: Capture, gemini: Any, after: int) -> None:
    provider.script(Malformed(after=after))
    with pytest.raises(errors.UnknownApiResponseError):
        await drained(await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi")))
    (only,) = seen.spans
    assert only["attributes"]["error.type"] == "google.genai.errors.UnknownApiResponseError"
    assert ("gen_ai.response.id" in only["attributes"]) == bool(after)


async def test_attempts_of_a_stream_are_recorded(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    client = make(retries=2)
    await drained(await done(client.models.generate_content_stream(model="gemini-x", contents="hi")))
    tries = {"otel_agentops__attempt__count": 3, "otel_agentops__attempt__statuses": [503, 429, 200]}
    assert seen.spans == [streamed(provider, **tries, otel_agentops__attempt__retry_after=[0.02])]


async def test_time_to_first_chunk_and_chunks(seen: Capture, gemini: Any) -> None:
    async for _ in each(await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi"))):
        pass
    for name in ("gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.operation.time_per_output_chunk"):
        assert [(point["count"], point["sum"]) for point in seen.metrics[name]] == [(1, SECONDS)]
