"""Chat completions: every way of making a call is one whole span."""

from __future__ import annotations

import json
from typing import Any

import openai
import pydantic
import pytest
from both import END, block, done, drained, each, following
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_spans import BROKEN, CHAT, COUNTED, STREAM, failed, parameters, span
from pydantic import BaseModel

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Break, Fail, FakeProvider, Malformed, ToolCall

ASK: Any = [{"role": "user", "content": "hi"}]
USAGE: Any = {"include_usage": True}


class Town(BaseModel):
    name: str
    people: int


def stream_of(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-x", messages=ASK, stream=True, **more)


# -- whole answers


async def test_plain(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    assert answer.choices[0].message.content == "Hello there."
    assert seen.spans == [span(provider, CHAT)]


async def test_parse(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.chat.completions.parse(model="gpt-x", messages=ASK, response_format=Town))
    assert answer.choices[0].message.parsed == Town(name="text", people=1)
    shape = parameters(response_format=provider.requests[-1].body["response_format"])
    assert seen.spans == [span(provider, CHAT, shape, {"gen_ai.output.type": "json"})]


async def test_unparsable_answer_keeps_its_token_counts(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.answer(lambda call: Answer(text='{"name": 3}'))
    with pytest.raises(pydantic.ValidationError):
        await done(client.chat.completions.parse(model="gpt-x", messages=ASK, response_format=Town))
    shape = parameters(response_format=provider.requests[-1].body["response_format"])
    says = {"error.type": "pydantic_core._pydantic_core.ValidationError", "gen_ai.output.type": "json"}
    assert seen.spans == [span(provider, CHAT, shape, says, status="ERROR")]


async def test_truncated_answer_keeps_its_token_counts(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.answer(lambda call: Answer(text='{"name": "Os', finish="length"))
    with pytest.raises(openai.LengthFinishReasonError):
        await done(client.chat.completions.parse(model="gpt-x", messages=ASK, response_format=Town))
    shape = parameters(response_format=provider.requests[-1].body["response_format"])
    says = {"error.type": "openai.LengthFinishReasonError", "gen_ai.output.type": "json"}
    cut = {"gen_ai.response.finish_reasons": ["length"]}
    assert seen.spans == [span(provider, CHAT, shape, says, cut, status="ERROR")]


async def test_malformed_answer_leaves_values_unknown(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Malformed())
    with pytest.raises(json.JSONDecodeError):
        await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    without = ("gen_ai.response.id", "gen_ai.response.model", "gen_ai.response.finish_reasons", *COUNTED)
    without += ("openai.response.service_tier", "openai.response.system_fingerprint")
    changed = {"error.type": "json.decoder.JSONDecodeError", "otel_agentops.model.resolution": "unreported"}
    assert seen.spans == [span(provider, CHAT, changed, without=without, status="ERROR")]


@pytest.mark.parametrize("cast_to", [ChatCompletion, object, str])
async def test_a_hand_made_request(provider: FakeProvider, client: Any, seen: Capture, cast_to: Any) -> None:
    body = {"model": "gpt-x", "messages": ASK}
    answer = await done(client.post("/chat/completions", body=body, cast_to=cast_to))
    assert isinstance(answer, {ChatCompletion: ChatCompletion, object: dict, str: str}[cast_to])
    assert seen.spans == [span(provider, CHAT)]


async def test_a_raw_response(provider: FakeProvider, client: Any, seen: Capture) -> None:
    raw = await done(client.chat.completions.with_raw_response.create(model="gpt-x", messages=ASK))
    assert raw.headers["x-request-id"] == "req_fake"
    assert seen.spans == [span(provider, CHAT)]
    assert raw.parse().id == "chatcmpl-fake"
    assert len(seen.spans) == 1


@pytest.mark.parametrize("how", ["parse", "read", "text", "json"])
async def test_a_streaming_response_is_read_by_the_application(
    provider: FakeProvider, client: Any, seen: Capture, how: str
) -> None:
    manager = client.chat.completions.with_streaming_response.create(model="gpt-x", messages=ASK)
    async with block(manager) as response:
        assert seen.spans == []
        assert "Hello there." in str(await done(getattr(response, how)()))
        assert seen.spans == [span(provider, CHAT)]
    assert len(seen.spans) == 1


UNREAD = ("gen_ai.response.id", "gen_ai.response.model", "gen_ai.response.finish_reasons", *COUNTED)
UNREAD += ("openai.response.service_tier", "openai.response.system_fingerprint", "otel_agentops.model.resolution")


@pytest.mark.parametrize("how", ["iter_lines", "iter_bytes", "iter_text", None])
async def test_undecoded_streaming_response_has_no_answer(
    provider: FakeProvider, client: Any, seen: Capture, how: str | None
) -> None:
    manager = client.chat.completions.with_streaming_response.create(model="gpt-x", messages=ASK)
    async with block(manager) as response:
        if how:
            assert await drained(getattr(response, how)())
        assert seen.spans == []
    assert seen.spans == [span(provider, CHAT, without=UNREAD)]


# -- streams


async def test_a_stream_to_its_end(provider: FakeProvider, client: Any, seen: Capture) -> None:
    stream = await done(stream_of(client))
    assert isinstance(stream, openai.Stream | openai.AsyncStream)
    assert seen.spans == []
    assert len(await drained(stream)) == 4
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


async def test_a_counted_stream(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await drained(await done(stream_of(client, stream_options=USAGE)))
    assert provider.requests[-1].body["stream_options"] == USAGE
    assert seen.spans == [span(provider, CHAT, STREAM)]


async def test_a_stream_by_hand_and_in_a_block(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(await done(stream_of(client))) as stream:
        for _ in range(4):
            assert (await following(stream)).model == "gpt-x-2026-03-01"
        assert seen.spans == []
        assert await following(stream) is END
        assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]
    assert len(seen.spans) == 1


async def test_a_stream_closed_early(provider: FakeProvider, client: Any, seen: Capture) -> None:
    stream = await done(stream_of(client))
    await following(stream)
    await done(stream.close())
    cut = span(provider, CHAT, STREAM, without=(*COUNTED, "gen_ai.response.finish_reasons"))
    assert seen.spans == [cut]
    await done(stream.close())
    assert seen.spans == [cut]


async def test_a_block_left_early(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(await done(stream_of(client))) as stream:
        async for _ in each(stream):
            break
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED, "gen_ai.response.finish_reasons"))]


async def test_unread_stream_has_no_answer(provider: FakeProvider, client: Any, seen: Capture) -> None:
    stream = await done(stream_of(client))
    await done(stream.close())
    unread = span(provider, CHAT, STREAM, without=(*UNREAD, "gen_ai.response.time_to_first_chunk"))
    assert seen.spans == [unread]


@pytest.mark.parametrize("step", [Break(after=2), Fail(after=2)])
async def test_broken_stream_has_its_error(provider: FakeProvider, client: Any, seen: Capture, step: Any) -> None:
    provider.script(step)
    stream = await done(stream_of(client))
    with pytest.raises(BROKEN) as caught:
        await drained(stream)
    without = (*COUNTED, "gen_ai.response.finish_reasons")
    assert seen.spans == [span(provider, CHAT, STREAM, failed(caught.value), without=without, status="ERROR")]


async def test_a_hand_made_stream(provider: FakeProvider, client: Any, seen: Capture) -> None:
    body = {"model": "gpt-x", "messages": ASK, "stream": True}
    stream = await done(client.post("/chat/completions", body=body, cast_to=ChatCompletionChunk, stream=True))
    assert [type(chunk) for chunk in await drained(stream)] == [ChatCompletionChunk] * 4
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


async def test_a_hand_made_stream_of_plain_json(provider: FakeProvider, client: Any, seen: Capture) -> None:
    body = {"model": "gpt-x", "messages": ASK, "stream": True}
    stream = await done(client.post("/chat/completions", body=body, cast_to=object, stream=True))
    assert [type(chunk) for chunk in await drained(stream)] == [dict] * 4
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


async def test_the_stream_manager(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(client.chat.completions.stream(model="gpt-x", messages=ASK)) as stream:
        final = await done(stream.get_final_completion())
    assert final.choices[0].message.content == "Hello there."
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


async def test_the_stream_manager_left_early(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(client.chat.completions.stream(model="gpt-x", messages=ASK)) as stream:
        await following(stream)
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED, "gen_ai.response.finish_reasons"))]


async def test_a_raw_stream(provider: FakeProvider, client: Any, seen: Capture) -> None:
    made = client.chat.completions.with_raw_response.create(model="gpt-x", messages=ASK, stream=True)
    stream = (await done(made)).parse()
    assert seen.spans == []
    await drained(stream)
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


async def test_a_streaming_response_of_a_stream(provider: FakeProvider, client: Any, seen: Capture) -> None:
    manager = client.chat.completions.with_streaming_response.create(model="gpt-x", messages=ASK, stream=True)
    async with block(manager) as response:
        stream = await done(response.parse())
        assert seen.spans == []
        await drained(stream)
    assert seen.spans == [span(provider, CHAT, STREAM, without=(*COUNTED,))]


# -- what an answer says


async def test_finish_reasons_of_several_choices(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.answer(lambda call: Answer(finish="length"))
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, n=2))
    await drained(await done(stream_of(client, n=2)))
    asked = {"gen_ai.request.choice.count": 2, "gen_ai.response.finish_reasons": ["length", "length"]}
    shape = parameters(n=2)
    assert seen.spans == [
        span(provider, CHAT, asked, shape),
        span(provider, CHAT, STREAM, asked, shape, without=(*COUNTED,)),
    ]


async def test_requested_tool_calls_are_the_finish_reason(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.answer(lambda call: Answer(tool_calls=(ToolCall("weather", "{}"),), cache_write_tokens=3))
    await done(client.chat.completions.create(model="gpt-x", messages=ASK))
    says = {"gen_ai.response.finish_reasons": ["tool_calls"], "gen_ai.usage.cache_creation.input_tokens": 3}
    assert seen.spans == [span(provider, CHAT, says)]


async def test_model_without_an_alias_is_echoed(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.chat.completions.create(model="gpt-y", messages=ASK))
    same = {
        "gen_ai.request.model": "gpt-y",
        "gen_ai.response.model": "gpt-y",
        "otel_agentops.model.resolution": "echoed",
    }
    assert seen.spans == [span(provider, CHAT, same, name="chat gpt-y")]
