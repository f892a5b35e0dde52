"""The words of Cohere's chats and rankings, in both versions of its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.openai_chat_content import read_message_parts, read_turns
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    reasoning_parts,
    text_parts,
    tool_call_part,
    tool_response_part,
)
from otel_agentops.semconv import attributes as A

_V1_ROLES = {"CHATBOT": "assistant", "USER": "user", "SYSTEM": "system", "TOOL": "tool"}


def read_chat_request(body: Mapping[str, Any]) -> Content:
    """Read a chat of either version; the preamble of v1 is apart from the conversation."""
    if "messages" in body:
        return make_input(
            [_move_plan(turn, read) for turn, read in zip(body["messages"], read_turns(body["messages"]), strict=False)]
        )
    messages = [_read_v1_turn(turn) for turn in as_list(body.get("chat_history"))]
    if message := text_parts(body.get("message")):
        messages.append(make_message("user", message))
    if results := as_list(body.get("tool_results")):
        messages.append(make_message("tool", _read_v1_results(results)))
    return make_input(messages, text_parts(body.get("preamble")))


def _move_plan(turn: object, message: Message) -> Message:
    """Return a message with what the model planned before it called a tool."""
    message["parts"] = reasoning_parts(get(turn, "tool_plan")) + message["parts"]
    return message


def _read_v1_turn(turn: object) -> Message:
    role = as_text(get(turn, "role")) or ""
    parts = (
        text_parts(get(turn, "message")) + _read_v1_calls(turn) + _read_v1_results(as_list(get(turn, "tool_results")))
    )
    return make_message(_V1_ROLES.get(role, role), parts)


def _read_v1_calls(turn: object) -> list[Part]:
    calls = as_list(get(turn, "tool_calls"))
    return [tool_call_part(None, get(call, "name"), get(call, "parameters")) for call in calls]


def _read_v1_results(results: Sequence[object]) -> list[Part]:
    return [tool_response_part(get(get(result, "call"), "name"), get(result, "outputs")) for result in results]


def read_chat_response(result: object) -> Content:
    """Read a chat response of v2."""
    message = get(result, "message")
    parts = reasoning_parts(get(message, "tool_plan")) + read_message_parts(message)
    return make_output([make_answer(parts, get(result, "finish_reason"))])


def read_v1_response(result: object) -> Content:
    """Read a chat response of v1."""
    result = get(result, "response") or result
    parts = text_parts(get(result, "text")) + _read_v1_calls(result)
    return make_output([make_answer(parts, get(result, "finish_reason"))])


def join_events(events: Sequence[Any]) -> Content:
    """Read all events of a stream of either version."""
    parts: list[Part] = []
    calls: dict[Any, dict[str, Any]] = {}
    reason: object = None
    for event in events:
        kind = get(event, "type") or get(event, "event_type")
        delta = get(event, "delta")
        message = get(delta, "message")
        if kind == "stream-end":
            return read_v1_response(get(event, "response"))
        if kind == "text-generation":
            parts += text_parts(get(event, "text"))
        elif kind == "content-delta":
            content = get(message, "content")
            parts += reasoning_parts(get(content, "thinking")) + text_parts(get(content, "text"))
        elif kind == "tool-plan-delta":
            parts += reasoning_parts(get(message, "tool_plan"))
        elif kind in ("tool-call-start", "tool-call-delta"):
            _add_call_piece(calls, get(event, "index"), get(message, "tool_calls"))
        elif kind == "message-end":
            reason = get(delta, "finish_reason")
    parts += [tool_call_part(call["id"], call["name"], call["arguments"]) for call in calls.values()]
    return make_output([make_answer(merge_parts(parts), reason)])


def _add_call_piece(calls: dict[Any, dict[str, Any]], index: object, piece: object) -> None:
    function = get(piece, "function")
    call = calls.setdefault(index, {"id": get(piece, "id"), "name": get(function, "name"), "arguments": ""})
    call["arguments"] += as_text(get(function, "arguments")) or ""


def read_rerank_request(body: Mapping[str, Any]) -> Content:
    """Read a ranking: the query that documents are ranked by."""
    query = as_text(body.get("query"))
    return {} if query is None else {A.GEN_AI_RETRIEVAL_QUERY_TEXT: query}


def read_rerank_response(result: object) -> Content:
    """Read the order of a ranking; a document's id is its place in the request."""
    results = as_list(get(result, "results"))
    documents = [{"id": str(get(each, "index")), "score": get(each, "relevance_score")} for each in results]
    return {A.GEN_AI_RETRIEVAL_DOCUMENTS: documents}


CHAT = ContentReader(read_chat_request, read_chat_response, join_events)
V1_CHAT = ContentReader(read_chat_request, read_v1_response, join_events)
RERANK = ContentReader(read_rerank_request, read_rerank_response)
