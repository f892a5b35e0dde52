"""Responses and embeddings: every way of making a call is one whole span."""

from __future__ import annotations

from typing import Any

import openai
import pydantic
import pytest
from both import block, done, drained, each
from openai_spans import BROKEN, COUNTED, EMBEDDINGS, RESPONSE, STREAM, failed, parameters, span
from pydantic import BaseModel

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, ToolCall

UNFINISHED = (*COUNTED, "gen_ai.response.finish_reasons")


class Town(BaseModel):
    name: str
    people: int


async def test_plain(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.responses.create(model="gpt-x", input="hi"))
    assert answer.output_text == "Hello there."
    assert seen.spans == [span(provider, RESPONSE)]


async def test_explicit_settings_are_not_called_echoed(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.responses.create(model="gpt-x", input="hi", temperature=0, max_output_tokens=9))
    read = {"gen_ai.request.temperature": 0.0, "gen_ai.request.max_tokens": 9}
    assert seen.spans == [span(provider, RESPONSE, parameters(temperature=0, max_output_tokens=9), read)]


async def test_other_request_settings_are_recorded(provider: FakeProvider, client: Any, seen: Capture) -> None:
    reasoning = {"effort": "low"}
    await done(
        client.responses.create(
            model="gpt-x", input="hi", reasoning=reasoning, previous_response_id="resp_0", store=False
        )
    )
    read = {"gen_ai.request.reasoning.level": "low", "gen_ai.request.previous_response.id": "resp_0"}
    assert seen.spans == [span(provider, RESPONSE, parameters(reasoning=reasoning), read)]


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
async def test_a_conversation(provider: FakeProvider, client: Any, seen: Capture, conversation: Any) -> None:
    await done(client.responses.create(model="gpt-x", input="hi", conversation=conversation))
    assert seen.spans == [span(provider, RESPONSE, {"gen_ai.conversation.id": "conv_1"})]


async def test_parse(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.responses.parse(model="gpt-x", input="hi", text_format=Town))
    assert answer.output_parsed == Town(name="text", people=1)
    shape = parameters(text=provider.requests[-1].body["text"])
    assert seen.spans == [span(provider, RESPONSE, shape, {"gen_ai.output.type": "json"})]


async def test_unparsable_answer_keeps_its_token_counts(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.answer(lambda call: Answer(text='{"name": 3}'))
    with pytest.raises(pydantic.ValidationError):
        await done(client.responses.parse(model="gpt-x", input="hi", text_format=Town))
    shape = parameters(text=provider.requests[-1].body["text"])
    says = {"gen_ai.output.type": "json", "error.type": "pydantic_core._pydantic_core.ValidationError"}
    assert seen.spans == [span(provider, RESPONSE, shape, says, status="ERROR")]


async def test_a_raw_response(provider: FakeProvider, client: Any, seen: Capture) -> None:
    raw = await done(client.responses.with_raw_response.create(model="gpt-x", input="hi"))
    assert raw.parse().output_text == "Hello there."
    assert seen.spans == [span(provider, RESPONSE)]


async def test_a_streaming_response(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(client.responses.with_streaming_response.create(model="gpt-x", input="hi")) as response:
        assert (await done(response.parse())).output_text == "Hello there."
    assert seen.spans == [span(provider, RESPONSE)]


# -- streams


async def test_a_stream_to_its_end(provider: FakeProvider, client: Any, seen: Capture) -> None:
    stream = await done(client.responses.create(model="gpt-x", input="hi", stream=True))
    assert isinstance(stream, openai.Stream | openai.AsyncStream)
    assert (await drained(stream))[-1].type == "response.completed"
    assert seen.spans == [span(provider, RESPONSE, STREAM)]


async def test_a_stream_left_early_knows_the_model(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(await done(client.responses.create(model="gpt-x", input="hi", stream=True))) as stream:
        async for _ in each(stream):
            break
    assert seen.spans == [span(provider, RESPONSE, STREAM, without=UNFINISHED)]


async def test_broken_stream_has_its_error(provider: FakeProvider, client: Any, seen: Capture) -> None:
    provider.script(Break(after=3))
    with pytest.raises(BROKEN) as caught:
        await drained(await done(client.responses.create(model="gpt-x", input="hi", stream=True)))
    error = failed(caught.value)
    assert seen.spans == [span(provider, RESPONSE, STREAM, error, without=UNFINISHED, status="ERROR")]


async def test_the_stream_manager(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(client.responses.stream(model="gpt-x", input="hi")) as stream:
        assert (await done(stream.get_final_response())).output_text == "Hello there."
    assert seen.spans == [span(provider, RESPONSE, STREAM)]


async def test_the_stream_manager_left_early(provider: FakeProvider, client: Any, seen: Capture) -> None:
    async with block(client.responses.stream(model="gpt-x", input="hi")) as stream:
        async for _ in each(stream):
            break
    assert seen.spans == [span(provider, RESPONSE, STREAM, without=UNFINISHED)]


# -- how it ended


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Answer(finish="length"), "length"), (Answer(tool_calls=(ToolCall("weather", "{}"),)), "tool_calls")],
)
async def test_finish_reasons_are_those_of_chat(
    provider: FakeProvider, client: Any, seen: Capture, answer: Answer, reason: str, stream: bool
) -> None:
    provider.answer(lambda call: answer)
    result = await done(client.responses.create(model="gpt-x", input="hi", stream=stream))
    if stream:
        await drained(result)
    says = {"gen_ai.response.finish_reasons": [reason]}
    assert seen.spans == [span(provider, RESPONSE, STREAM if stream else {}, says)]


@pytest.mark.parametrize("stream", [False, True])
async def test_failed_response_is_an_error(provider: FakeProvider, client: Any, seen: Capture, stream: bool) -> None:
    provider.answer(lambda call: Answer(finish="failed"))
    result = await done(client.responses.create(model="gpt-x", input="hi", stream=stream))
    if stream:
        assert (await drained(result))[-1].type == "response.failed"
    says = {"gen_ai.response.finish_reasons": ["error"], "error.type": "server_error"}
    assert seen.spans == [span(provider, RESPONSE, STREAM if stream else {}, says, status="ERROR")]


async def test_background_response_has_no_finish_reason(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.responses.create(model="gpt-x", input="hi", background=True))
    assert seen.spans == [span(provider, RESPONSE, parameters(background=True), without=UNFINISHED)]


# -- embeddings


async def test_embeddings(provider: FakeProvider, client: Any, seen: Capture) -> None:
    answer = await done(client.embeddings.create(model="gpt-x", input="hi"))
    assert len(answer.data[0].embedding) == 256
    assert seen.spans == [span(provider, EMBEDDINGS, name="embeddings gpt-x")]


async def test_embeddings_of_a_size_and_format(provider: FakeProvider, client: Any, seen: Capture) -> None:
    raw = client.embeddings.with_raw_response
    await done(raw.create(model="gpt-x", input=["hi", "you"], dimensions=64, encoding_format="float"))
    shape = parameters(dimensions=64, encoding_format="float")
    read = {
        "gen_ai.embeddings.dimension.count": 64,
        "gen_ai.request.encoding_formats": ["float"],
        "gen_ai.usage.input_tokens": 2,
    }
    assert seen.spans == [span(provider, EMBEDDINGS, shape, read, name="embeddings gpt-x")]
