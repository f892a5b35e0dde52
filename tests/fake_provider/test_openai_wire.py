"""The real OpenAI SDK understands every shape that the fake provider speaks."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

ASK: Any = [{"role": "user", "content": "hi"}]
COUNTED: Any = {"include_usage": True}
ROME = ToolCall("weather", '{"city": "Rome"}')
WEATHER = Answer(text="", tool_calls=(ROME, ToolCall("weather", '{"city": "Oslo"}', id="call_2")))
TOOL: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Town(BaseModel):
    name: str
    people: int
    twins: list[str]


def test_a_chat_answer_is_whole(gpt: openai.OpenAI) -> None:
    answer = gpt.chat.completions.create(model="gpt-x", messages=ASK, n=2)
    assert answer.model_dump(exclude_none=True) == {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1780000000,
        "model": "gpt-x-2026-03-01",
        "system_fingerprint": "fp_fake",
        "service_tier": "default",
        "choices": [
            {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello there."}}
            for i in range(2)
        ],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 5,
            "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
        },
    }
    assert answer._request_id == "req_fake"


def test_a_stream_is_counted_only_on_request(gpt: openai.OpenAI) -> None:
    plain = list(gpt.chat.completions.create(model="gpt-x", messages=ASK, stream=True))
    assert [chunk.usage for chunk in plain] == [None] * 4
    counted = list(gpt.chat.completions.create(model="gpt-x", messages=ASK, stream=True, stream_options=COUNTED))
    assert [chunk.usage for chunk in counted[:-1]] == [None] * 4
    last = counted[-1]
    assert last.usage is not None
    assert (last.choices, last.usage.total_tokens) == ([], 16)


def test_a_stream_is_the_answer_in_parts(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: Answer(chunks=7))
    chunks = list(gpt.chat.completions.create(model="gpt-x", messages=ASK, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["He", "ll", "o ", "th", "er", "e.", "", None]
    assert {chunk.model for chunk in chunks} == {"gpt-x-2026-03-01"}
    assert {chunk.system_fingerprint for chunk in chunks} == {"fp_fake"}
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 7 + ["stop"]


def test_tool_calls_are_the_same_plain_and_streamed(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: WEATHER)
    plain = gpt.chat.completions.create(model="gpt-x", messages=ASK).choices[0]
    with gpt.chat.completions.stream(model="gpt-x", messages=ASK) as stream:
        streamed = stream.get_final_completion().choices[0]
    for choice in (plain, streamed):
        calls: Any = choice.message.tool_calls
        assert [call.function.arguments for call in calls] == ['{"city": "Rome"}', '{"city": "Oslo"}']
        assert choice.finish_reason == "tool_calls"


def test_parse_gets_what_its_schema_wants(gpt: openai.OpenAI) -> None:
    town = Town(name="text", people=1, twins=["text"])
    chat = gpt.chat.completions.parse(model="gpt-x", messages=ASK, response_format=Town)
    assert chat.choices[0].message.parsed == town
    assert gpt.responses.parse(model="gpt-x", input="hi", text_format=Town).output_parsed == town


def test_a_response_says_what_it_used(gpt: openai.OpenAI) -> None:
    answer = gpt.responses.create(model="gpt-x", input="hi", temperature=0, tools=[TOOL], max_output_tokens=9)
    assert (answer.output_text, answer.status, answer.model) == ("Hello there.", "completed", "gpt-x-2026-03-01")
    assert (answer.temperature, answer.top_p, answer.max_output_tokens) == (0, 1, 9)
    assert answer.tools[0].to_dict() == TOOL
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens == 4


def test_a_response_may_be_incomplete_or_still_queued(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    queued = gpt.responses.create(model="gpt-x", input="hi", background=True)
    assert (queued.status, queued.usage, queued.output) == ("queued", None, [])
    provider.answer(lambda call: Answer(finish="length"))
    cut = gpt.responses.create(model="gpt-x", input="hi")
    assert cut.incomplete_details is not None
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    with gpt.responses.stream(model="gpt-x", input="hi") as stream:
        assert [event.type for event in stream][-1] == "response.incomplete"


def test_response_events_come_in_order(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: Answer(text="Yes.", tool_calls=(ROME,), chunks=2))
    events = list(gpt.responses.create(model="gpt-x", input="hi", stream=True))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(15))


def test_a_response_stream_ends_in_the_plain_answer(provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.answer(lambda call: WEATHER)
    with gpt.responses.stream(model="gpt-x", input="hi") as stream:
        final = stream.get_final_response()
    plain = gpt.responses.create(model="gpt-x", input="hi")
    assert [json.loads(call.arguments) for call in final.output] == [{"city": "Rome"}, {"city": "Oslo"}]  # type: ignore[union-attr]
    assert [item.to_dict() for item in plain.output] == [
        {key: value for key, value in item.to_dict().items() if key != "parsed_arguments"} for item in final.output
    ]


def test_embeddings_are_the_same_packed_and_plain(gpt: openai.OpenAI) -> None:
    packed = gpt.embeddings.create(model="e", input=["three words here", "none"], dimensions=64)
    plain = gpt.embeddings.create(model="e", input="here three words", dimensions=64, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert sum(x * x for x in plain.data[0].embedding) == pytest.approx(1, abs=1e-5)
    assert (len(packed.data), packed.usage.prompt_tokens) == (2, 4)


def test_azure_names_the_deployment_in_the_path(provider: FakeProvider) -> None:
    client = openai.AzureOpenAI(api_key="k", azure_endpoint=provider.azure_url, api_version="2026-01-01")
    assert client.chat.completions.create(model="gpt-x", messages=ASK).model == "gpt-x-2026-03-01"
    assert provider.requests[-1].path == "/openai/deployments/gpt-x/chat/completions?api-version=2026-01-01"


async def test_async(async_gpt: openai.AsyncOpenAI) -> None:
    plain = await async_gpt.chat.completions.create(model="gpt-x", messages=ASK)
    assert plain.choices[0].message.content == "Hello there."
    stream = await async_gpt.chat.completions.create(model="gpt-x", messages=ASK, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Hello there."
    async with async_gpt.responses.stream(model="gpt-x", input="hi") as events:
        assert (await events.get_final_response()).output_text == "Hello there."
