"""The words of OpenAI's responses API: an input of items, and an answer whose items are one generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    join_texts,
    make_answer,
    make_input,
    make_message,
    make_output,
    other_part,
    read_openai_parts,
    reasoning_parts,
    server_tool_part,
    text_parts,
    tool_call_part,
    tool_response_part,
)

_CALLS = frozenset({"function_call", "custom_tool_call"})
# Members of the call of a tool at the provider that its other parts say, or that say nothing.
_NOT_DETAILS = frozenset({"type", "id", "status"})


def read_request(body: Mapping[str, Any]) -> Content:
    """Read `POST /responses`; instructions are apart from the conversation."""
    value = body.get("input")
    items = [{"role": "user", "content": value}] if isinstance(value, str) else as_list(value)
    return make_input([_read_item(item) for item in items], read_openai_parts(body.get("instructions")))


def _read_item(item: object) -> Message:
    kind = as_text(get(item, "type")) or "message"
    if kind == "message":
        return make_message(get(item, "role"), read_openai_parts(get(item, "content")))
    if kind.endswith("_call_output"):
        output = get(item, "output")
        response = output if isinstance(output, str) else join_texts(read_openai_parts(output))
        return make_message("tool", [tool_response_part(get(item, "call_id"), response)])
    return make_message("assistant", _read_output_item(item))


def _read_output_item(item: object) -> list[Part]:
    kind = as_text(get(item, "type")) or ""
    if kind == "message":
        return read_openai_parts(get(item, "content"))
    if kind == "reasoning":
        texts = [*as_list(get(item, "content")), *as_list(get(item, "summary"))]
        return [part for text in texts for part in reasoning_parts(get(text, "text"))]
    if kind in _CALLS:
        arguments = get(item, "arguments") if kind == "function_call" else get(item, "input")
        return [tool_call_part(get(item, "call_id"), get(item, "name"), arguments)]
    if kind.endswith("_call"):  # web search and other tools at the provider
        members = item if isinstance(item, Mapping) else getattr(item, "__dict__", {})
        details = {name: value for name, value in members.items() if name not in _NOT_DETAILS and value is not None}
        return [server_tool_part(get(item, "id"), kind.removesuffix("_call"), details)]
    return [other_part(item)]


def read_response(result: object) -> Content:
    """Read a `Response`, or its JSON."""
    return _read_items(as_list(get(result, "output")), result)


def _read_items(items: Iterable[object], result: object) -> Content:
    parts = [part for item in items for part in _read_output_item(item)]
    return make_output([make_answer(parts, _find_reason(parts, result))]) if parts else {}


def _find_reason(parts: Sequence[Part], result: object) -> object:
    status = as_text(get(result, "status"))
    if status == "completed":
        return "tool_call" if any(part["type"] == "tool_call" for part in parts) else "stop"
    if status == "incomplete":
        return get(get(result, "incomplete_details"), "reason") or status
    return "error" if status in {"failed", "cancelled"} else None


def join_events(events: Sequence[object]) -> Content:
    """Read all events of a stream: the last snapshot is the whole answer; of a stream that was cut, its items."""
    items: dict[Any, object] = {}
    texts: dict[Any, str] = {}
    for event in events:
        kind, index = get(event, "type"), get(event, "output_index")
        if (response := get(event, "response")) is not None and as_list(get(response, "output")):
            return read_response(response)
        if kind == "response.output_item.done":
            items[index] = get(event, "item")
            texts.pop(index, None)
        elif kind == "response.output_text.delta":
            texts[index] = texts.get(index, "") + (as_text(get(event, "delta")) or "")
    unfinished = [part for text in texts.values() for part in text_parts(text)]
    parts = [part for item in items.values() for part in _read_output_item(item)] + unfinished
    return make_output([make_answer(parts, None)]) if parts else {}


def read_nothing(body: object) -> Content:
    """Return no content: a response that is fetched was asked for before."""
    return {}


RESPONSES = ContentReader(read_request, read_response, join_events)
FETCHED = ContentReader(read_nothing, read_response, join_events)
