"""Shapes of services that speak the protocol in their own way, as the SDK hands them out."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from otel_agentops.clients._protocols.openai_chat import fold_chat_chunk, normalise_tool, read_embeddings_response
from otel_agentops.clients.openai import READER, finish_chat, read_chat_response
from otel_agentops.operations import Answer


def chunk(**members: Any) -> ChatCompletionChunk:
    given = {"id": "c", "model": "m", "choices": [], "usage": None, **members}
    return ChatCompletionChunk.construct(**given)  # as the SDK does it: nothing is checked


def settled(*chunks: ChatCompletionChunk) -> Answer:
    state: dict[str, Any] = {}
    for one in chunks:
        assert fold_chat_chunk(state, one) is False
    return finish_chat(state)


def ends(index: int, reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": {}, "finish_reason": reason}


def test_content_filter_chunk_of_azure_is_skipped() -> None:
    filtered = chunk(id="", model="", prompt_filter_results=[])
    found = settled(filtered, chunk(system_fingerprint="fp"), chunk(choices=[ends(0, "stop")]))
    assert found == Answer(
        "m",
        {
            "gen_ai.response.id": "c",
            "gen_ai.response.finish_reasons": ["stop"],
            "openai.response.system_fingerprint": "fp",
        },
    )


def test_empty_model_name_is_unknown() -> None:
    assert settled(chunk(id="", model=""), chunk(id="", model="")) == Answer(None, {})
    assert read_chat_response(ChatCompletion.construct(id="", model="", choices=None)) == Answer(None, {})


def test_choices_end_in_any_order() -> None:
    found = settled(
        chunk(choices=[ends(1, None)]), chunk(choices=[ends(1, "length")]), chunk(choices=None),
        chunk(choices=[ends(0, "stop")]),
    )  # fmt: skip
    assert found.attributes["gen_ai.response.finish_reasons"] == ["stop", "length"]


def test_usage_without_details() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}
    whole = ChatCompletion.construct(id="c", model="m", choices=[], usage=usage)
    assert read_chat_response(whole) == Answer("m", {"gen_ai.response.id": "c"}, 3, 0)
    assert settled(chunk(usage=usage)) == Answer("m", {"gen_ai.response.id": "c"}, 3, 0)


def test_invalid_counts_are_unknown() -> None:
    odd = {"prompt_tokens": "3", "completion_tokens": None}
    assert read_chat_response({"id": "c", "model": "m", "usage": odd}) == Answer("m", {"gen_ai.response.id": "c"})
    assert read_embeddings_response(CreateEmbeddingResponse.construct(model="m", data=[])) == Answer("m", {})


@pytest.mark.parametrize(
    ("status", "more", "reasons", "error"),
    [
        ("completed", {}, ["stop"], None),
        ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, ["length"], None),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, ["content_filter"], None),
        ("incomplete", {"incomplete_details": None}, ["incomplete"], None),
        ("failed", {"error": {"code": "rate_limit_exceeded", "message": "no"}}, ["error"], "rate_limit_exceeded"),
        ("cancelled", {}, ["error"], None),
        ("in_progress", {}, None, None),
        ("completed", {"output": [{"type": "custom_tool_call"}]}, ["tool_calls"], None),
    ],
)
def test_response_status_gives_reason_and_error(
    status: str, more: dict[str, Any], reasons: Any, error: str | None
) -> None:
    for whole in ({"model": "m", "status": status, **more}, Response.construct(model="m", status=status, **more)):
        found = READER.read_response(whole)
        assert (found.attributes.get("gen_ai.response.finish_reasons"), found.error) == (reasons, error)


@pytest.mark.parametrize(
    ("wire", "material"),
    [
        ({"type": "function", "function": {"name": "f"}}, {"name": "f"}),
        ({"type": "function", "name": "f", "strict": False}, {"name": "f", "strict": False}),
        ({"name": "f", "parameters": {"type": "object"}}, {"name": "f", "input_schema": {"type": "object"}}),
        ({"type": "function", "function": None, "name": "f"}, {"name": "f"}),
        ({"type": "image_generation"}, {"name": "image_generation", "settings": {"type": "image_generation"}}),
        (
            {"type": "mcp", "server_label": "docs", "authorization": "secret", "headers": {"a": "b"}},
            {"name": "docs", "settings": {"type": "mcp", "server_label": "docs"}},
        ),
        ({}, {"name": "function", "settings": {}}),
        (5, {"name": "unknown", "settings": 5}),
    ],
)
def test_tools_are_normalised(wire: Any, material: dict[str, Any]) -> None:
    assert normalise_tool(wire) == material


# -- what the model asks the application to do


def piece(index: int | None, arguments: str | None, name: str | None = None) -> dict[str, Any]:
    return {"index": index, "function": {"name": name, "arguments": arguments}, "type": "function"}


def asks(*pieces: dict[str, Any], choice: int = 0) -> ChatCompletionChunk:
    return chunk(choices=[{"index": choice, "delta": {"tool_calls": list(pieces)}, "finish_reason": None}])


PIECES = {
    "in parts": [
        asks(piece(0, "", "look")), asks(piece(0, '{"a"')), asks(piece(0, ": 1}")), asks(piece(1, "{}", "see")),
    ],
    "in turns": [asks(piece(0, '{"a"', "look"), piece(1, "", "see")), asks(piece(1, "{}"), piece(0, ": 1}"))],
    "whole, all of one index": [asks(piece(0, '{"a": 1}', "look"), piece(0, "{}", "see"))],
    "without an index": [asks(piece(None, '{"a": 1}', "look")), asks(piece(None, "{}", "see"))],
    "with another choice": [
        asks(piece(0, '{"a": 1}', "look"), piece(1, "{}", "see")), asks(piece(0, "{}", "other"), choice=1),
    ],
}  # fmt: skip


@pytest.mark.parametrize("shape", PIECES)
def test_requested_tools_of_a_stream_are_known(shape: str) -> None:
    assert settled(*PIECES[shape]).tool_calls == [("look", '{"a": 1}'), ("see", "{}")]


def test_chunks_without_a_tool_name_request_no_tool() -> None:
    custom = {"index": 0, "type": "custom", "custom": {"name": "run", "input": "ls"}}
    nothing = {"index": 0, "delta": None, "finish_reason": None}
    assert settled(asks(custom), asks(piece(1, None)), chunk(choices=[nothing])).tool_calls == []


def test_requested_tools_of_an_answer_are_known() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}},
        {"id": "2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
        {"id": "3", "type": "function", "function": {"name": None, "arguments": None}},
    ]
    choice = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": calls}}
    body = {"id": "c", "model": "m", "choices": [choice, choice]}
    for result in (body, ChatCompletion.construct(**body)):  # type: ignore[arg-type]
        assert read_chat_response(result).tool_calls == [("look", '{"a": 1}')]
    output = [
        {"type": "function_call", "name": "look", "arguments": '{"a": 1}', "call_id": "1"},
        {"type": "custom_tool_call", "name": "run", "input": "ls", "call_id": "2"},
        {"type": "web_search_call", "id": "3", "status": "completed"},
    ]
    body = {"id": "r", "model": "m", "status": "completed", "output": output}
    for result in (body, Response.construct(**body)):  # type: ignore[arg-type]
        assert READER.read_response(result).tool_calls == [("look", '{"a": 1}'), ("run", "ls")]
