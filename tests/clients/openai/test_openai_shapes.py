"""Shapes of services that speak the protocol in their own way, as the SDK hands them out."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from otel_agentops.clients.openai import (
    chat_fold,
    chat_response,
    chat_settled,
    embeddings_response,
    responses_response,
    tool,
)
from otel_agentops.record import Answer


def chunk(**members: Any) -> ChatCompletionChunk:
    given = {"id": "c", "model": "m", "choices": [], "usage": None, **members}
    return ChatCompletionChunk.construct(**given)  # as the SDK does it: nothing is checked


def settled(*chunks: ChatCompletionChunk) -> Answer:
    state: dict[str, Any] = {}
    for one in chunks:
        assert chat_fold(state, one) is False
    return chat_settled(state)


def ends(index: int, reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": {}, "finish_reason": reason}


def test_azures_first_chunk_is_about_its_content_filter() -> None:
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


def test_a_service_that_names_no_model_at_all() -> None:
    assert settled(chunk(id="", model=""), chunk(id="", model="")) == Answer(None, {})
    assert chat_response(ChatCompletion.construct(id="", model="", choices=None)) == Answer(None, {})


def test_choices_end_in_any_order() -> None:
    found = settled(
        chunk(choices=[ends(1, None)]), chunk(choices=[ends(1, "length")]), chunk(choices=None),
        chunk(choices=[ends(0, "stop")]),
    )  # fmt: skip
    assert found.attributes["gen_ai.response.finish_reasons"] == ["stop", "length"]


def test_usage_without_details() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}
    whole = ChatCompletion.construct(id="c", model="m", choices=[], usage=usage)
    assert chat_response(whole) == Answer("m", {"gen_ai.response.id": "c"}, 3, 0)
    assert settled(chunk(usage=usage)) == Answer("m", {"gen_ai.response.id": "c"}, 3, 0)


def test_counts_that_are_none_are_unknown() -> None:
    odd = {"prompt_tokens": "3", "completion_tokens": None}
    assert chat_response({"id": "c", "model": "m", "usage": odd}) == Answer("m", {"gen_ai.response.id": "c"})
    assert embeddings_response(CreateEmbeddingResponse.construct(model="m", data=[])) == Answer("m", {})


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
def test_how_a_response_ended(status: str, more: dict[str, Any], reasons: Any, error: str | None) -> None:
    for whole in ({"model": "m", "status": status, **more}, Response.construct(model="m", status=status, **more)):
        found = responses_response(whole)
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
def test_the_material_of_a_tool(wire: Any, material: dict[str, Any]) -> None:
    assert tool(wire) == material
