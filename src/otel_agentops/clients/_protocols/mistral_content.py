"""The words of Mistral's conversations, whose turns and results are entries of many kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    other_part,
    read_openai_parts,
    server_tool_part,
    text_parts,
    tool_call_part,
    tool_response_part,
)


def read_request(body: Mapping[str, Any]) -> Content:
    """Read `POST /v1/conversations`, or what goes on from one; instructions are apart."""
    inputs = body.get("inputs")
    entries = [{"role": "user", "content": inputs}] if isinstance(inputs, str) else as_list(inputs)
    return make_input([_read_entry(entry) for entry in entries], text_parts(body.get("instructions")))


def _read_entry(entry: object) -> Message:
    if get(entry, "type") == "function.result":
        return make_message("tool", [tool_response_part(get(entry, "tool_call_id"), get(entry, "result"))])
    return make_message(get(entry, "role") or "assistant", _read_output(entry))


def _read_output(entry: object) -> list[Part]:
    kind = as_text(get(entry, "type")) or "message"
    if kind == "function.call":
        return [tool_call_part(get(entry, "tool_call_id"), get(entry, "name"), get(entry, "arguments"))]
    if kind == "tool.execution":
        return [server_tool_part(get(entry, "id"), get(entry, "name"), {"arguments": get(entry, "arguments")})]
    return read_openai_parts(get(entry, "content")) if kind.startswith("message") else [other_part(entry)]


def read_response(result: object) -> Content:
    """Read a `ConversationResponse`, or its JSON; it has no finish reason."""
    parts = [part for entry in as_list(get(result, "outputs")) for part in _read_output(entry)]
    return make_output([make_answer(parts, _find_reason(parts))])


def _find_reason(parts: Sequence[Part]) -> str | None:
    return "tool_call" if any(part["type"] == "tool_call" for part in parts) else None


def join_events(events: Sequence[object]) -> Content:
    """Read all events of a streamed conversation."""
    parts: list[Part] = []
    calls: dict[Any, dict[str, Any]] = {}
    for event in events:
        kind = get(event, "type")
        if kind == "message.output.delta":
            content = get(event, "content")
            parts += read_openai_parts(content if isinstance(content, str) else [content])
        elif kind == "function.call.delta":
            call_id = get(event, "tool_call_id")
            call = calls.setdefault(call_id, {"name": get(event, "name"), "arguments": ""})
            call["arguments"] += as_text(get(event, "arguments")) or ""
    parts += [tool_call_part(call_id, call["name"], call["arguments"]) for call_id, call in calls.items()]
    return make_output([make_answer(merge_parts(parts), _find_reason(parts))])


CONVERSATION = ContentReader(read_request, read_response, join_events)
