"""The real Anthropic SDK understands every shape that the fake provider speaks."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

ASK: Any = [{"role": "user", "content": "hi"}]
ALL = Answer(
    text="Let me see.",
    thinking="Where is Rome?",
    tool_calls=(ToolCall("weather", '{"city": "Rome"}'),),
    cache_write_tokens=3,
    chunks=2,
)


class Town(BaseModel):
    name: str
    people: int


def test_a_message_is_whole(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
    assert answer.model_dump(exclude_none=True) == {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": "claude-x-20260301",
        "content": [{"type": "text", "text": "Hello there."}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 7,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 0,
            "output_tokens": 5,
            "service_tier": "standard",
        },
    }


def test_a_stream_ends_in_the_plain_message(provider: FakeProvider, claude: anthropic.Anthropic) -> None:
    provider.answer(lambda call: ALL)
    plain = claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
    with claude.messages.stream(model="claude-x", max_tokens=9, messages=ASK) as stream:
        final = stream.get_final_message()
    unset = {"parsed_output"}
    assert final.model_dump(exclude={"content": {"__all__": unset}}) == plain.model_dump()
    assert [block.type for block in plain.content] == ["thinking", "text", "tool_use"]
    assert (plain.usage.input_tokens, plain.usage.cache_creation_input_tokens) == (4, 3)


def test_events_come_in_order(provider: FakeProvider, claude: anthropic.Anthropic) -> None:
    provider.answer(lambda call: ALL)
    events = list(claude.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True))
    block = ["content_block_start", "content_block_delta", "content_block_delta"]
    stop = ["content_block_stop"]
    thinking = [*block, "content_block_delta", *stop]  # with its signature
    assert [event.type for event in events] == [
        "message_start", *thinking, *block, *stop, *block, *stop, "message_delta", "message_stop",
    ]  # fmt: skip


def test_beta_messages_and_parse(claude: anthropic.Anthropic) -> None:
    beta = claude.beta.messages.create(model="claude-x", max_tokens=9, messages=ASK)
    assert beta.model == "claude-x-20260301"
    parsed = claude.messages.parse(model="claude-x", max_tokens=9, messages=ASK, output_format=Town)
    assert parsed.parsed_output == Town(name="text", people=1)


def test_tokens_are_counted(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model="claude-x", messages=ASK).input_tokens == 11


@pytest.mark.parametrize("finish", ["max_tokens", "stop_sequence", "refusal"])
def test_other_ends(provider: FakeProvider, claude: anthropic.Anthropic, finish: str) -> None:
    provider.answer(lambda call: Answer(finish=finish))
    assert claude.messages.create(model="claude-x", max_tokens=9, messages=ASK).stop_reason == finish


async def test_async(async_claude: anthropic.AsyncAnthropic) -> None:
    plain = await async_claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
    async with async_claude.messages.stream(model="claude-x", max_tokens=9, messages=ASK) as stream:
        assert await stream.get_final_text() == "Hello there."
        assert (await stream.get_final_message()).usage.output_tokens == plain.usage.output_tokens
