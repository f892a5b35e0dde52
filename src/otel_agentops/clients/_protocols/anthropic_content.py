"""The words of Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get, is_object
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    blob_part,
    file_part,
    join_texts,
    make_answer,
    make_input,
    make_message,
    make_output,
    name_modality,
    other_part,
    reasoning_parts,
    server_tool_part,
    server_tool_response_part,
    text_parts,
    tool_call_part,
    tool_response_part,
    uri_part,
)


def read_request(body: Mapping[str, Any]) -> Content:
    """Read `POST /v1/messages`; the system's words are apart from the conversation."""
    messages = [
        make_message(get(turn, "role"), _read_blocks(get(turn, "content"))) for turn in as_list(body.get("messages"))
    ]
    return make_input(messages, _read_blocks(body.get("system")))


def read_response(result: object) -> Content:
    """Read a `Message`, or its JSON."""
    return make_output([make_answer(_read_blocks(get(result, "content")), get(result, "stop_reason"))])


def _read_blocks(content: object) -> list[Part]:
    if isinstance(content, str):
        return text_parts(content)
    return [part for block in as_list(content) for part in _read_block(block)]


def _read_block(block: object) -> list[Part]:
    kind = as_text(get(block, "type")) or ""
    call_id = get(block, "tool_use_id")
    if kind == "text":
        return text_parts(get(block, "text"))
    if kind == "thinking":
        return reasoning_parts(get(block, "thinking"))
    if kind == "tool_use":
        return [tool_call_part(get(block, "id"), get(block, "name"), get(block, "input"))]
    if kind == "tool_result":
        return [tool_response_part(call_id, join_texts(_read_blocks(get(block, "content"))))]
    if kind in {"server_tool_use", "mcp_tool_use"}:
        return [server_tool_part(get(block, "id"), get(block, "name"), {"arguments": get(block, "input")})]
    if kind.endswith("_tool_result"):
        return [
            server_tool_response_part(call_id, kind.removesuffix("_tool_result"), {"result": get(block, "content")})
        ]
    if kind in {"image", "document"}:
        return _read_source(kind, get(block, "source"))
    if kind == "compaction":
        return [{"type": kind, "content": as_text(get(block, "content"))}]
    return [other_part(block)]


def _read_source(kind: str, source: object) -> list[Part]:
    mime_type, data = get(source, "media_type"), get(source, "data")
    if (url := as_text(get(source, "url"))) is not None:
        return [uri_part(kind, url, mime_type)]
    if (file_id := as_text(get(source, "file_id"))) is not None:
        return [file_part(kind, file_id, mime_type)]
    if get(source, "type") == "text":
        return text_parts(data)
    if get(source, "type") == "content":
        return _read_blocks(get(source, "content"))
    return [blob_part(name_modality(mime_type) if mime_type else kind, data, mime_type)]


def join_events(events: Sequence[object]) -> Content:
    """Read all events of a stream, whole or cut off."""
    blocks: dict[Any, dict[str, Any]] = {}
    reason: object = None
    for event in events:
        kind = get(event, "type")
        if kind == "content_block_start":
            blocks[get(event, "index")] = _copy_block(get(event, "content_block"))
        elif kind == "content_block_delta" and (block := blocks.get(get(event, "index"))) is not None:
            _add_delta(block, get(event, "delta"))
        elif kind == "message_delta":
            reason = get(get(event, "delta"), "stop_reason") or reason
    message: Message = make_answer(_read_blocks([blocks[index] for index in blocks]), reason)
    return make_output([message])


_MEMBERS = ("type", "id", "name", "text", "thinking", "input", "tool_use_id", "content")


def _copy_block(block: object) -> dict[str, Any]:
    return {name: get(block, name) for name in _MEMBERS}


def _add_delta(block: dict[str, Any], delta: object) -> None:
    """Add a piece to its block; the input of a tool begins as an empty object and comes as JSON text."""
    for name in ("text", "thinking"):
        if isinstance(piece := get(delta, name), str):
            block[name] = (block[name] or "") + piece
    if isinstance(piece := get(delta, "partial_json"), str):
        block["input"] = piece if is_object(block["input"]) or block["input"] is None else block["input"] + piece


MESSAGES = ContentReader(read_request, read_response, join_events)
