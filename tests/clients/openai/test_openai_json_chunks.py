"""Chunks that a client leaves as JSON add up to what they add up to as objects."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from otel_agentops.clients._protocols.openai_chat import finish_chat, fold_chat_chunk, read_chat_request
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer
from otel_agentops.testing.fake_provider import Answer as Said
from otel_agentops.testing.fake_provider import Call, ToolCall
from otel_agentops.testing.fake_provider.openai_wire import write_chat_chunks

SAID = {
    "text": Said(),
    "tools": Said(text="", tool_calls=(ToolCall("weather", '{"city": "Paris"}'), ToolCall("time", "{}", id="call_2"))),
    "cut": Said(finish="length"),
}
BODIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "counted": {"stream_options": {"include_usage": True}},
    "two choices": {"n": 2},
}


def folded(chunks: list[Any]) -> Answer:
    state: dict[str, Any] = {}
    assert [fold_chat_chunk(state, chunk) for chunk in chunks] == [False] * len(chunks)
    return finish_chat(state)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("said", SAID)
def test_json_chunks_fold_like_objects(said: str, body: str) -> None:
    chunks = list(write_chat_chunks(Call("", {}, BODIES[body], "gpt-x"), SAID[said]))
    found = folded(chunks)
    assert found == folded([ChatCompletionChunk.construct(**chunk) for chunk in chunks])
    reason = {"text": "stop", "tools": "tool_calls", "cut": "length"}[said]
    assert found.attributes["gen_ai.response.finish_reasons"] == [reason] * (2 if body == "two choices" else 1)
    assert found.input_tokens == (11 if body == "counted" else None)
    assert list(found.tool_calls) == ([("weather", '{"city": "Paris"}'), ("time", "{}")] if said == "tools" else [])


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"modalities": ["text", "audio"]}, "speech"),
        ({"modalities": ["text"]}, None),
        ({"response_format": {"type": "json_object"}}, "json"),
    ],
)
def test_output_type_is_read_from_the_request(given: dict[str, Any], kind: str | None) -> None:
    assert read_chat_request(given, Server("openai", {})).attributes.get("gen_ai.output.type") == kind
