"""The words of xAI's chats, in its protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    file_part,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    reasoning_parts,
    text_parts,
    tool_call_part,
    tool_response_part,
    uri_part,
)
from otel_agentops.clients._protocols.protobuf import read_enum_name


def read_request(message: Any) -> Content:
    """Read `xai_api.Chat/GetCompletion`, and its siblings."""
    return make_input([_read_turn(turn) for turn in message.messages])


def _read_turn(turn: Any) -> Message:
    role = (read_enum_name(turn, "role") or "").removeprefix("ROLE_").lower()
    parts = reasoning_parts(getattr(turn, "reasoning_content", "")) + _read_content(turn.content)
    if role in ("tool", "function"):
        text = "".join(part.get("content", "") for part in parts)
        return make_message("tool", [tool_response_part(getattr(turn, "tool_call_id", None) or None, text)])
    return make_message(role, parts + _read_calls(turn.tool_calls), turn.name or None)


def _read_content(contents: Iterable[Any]) -> list[Part]:
    parts: list[Part] = []
    for content in contents:
        kind = content.WhichOneof("content")
        if kind == "image_url":
            parts.append(uri_part("image", content.image_url.image_url))
        elif kind == "file":
            parts.append(file_part("document", content.file.file_id))
        else:
            parts += text_parts(content.text)
    return parts


def _read_calls(calls: Iterable[Any]) -> list[Part]:
    return [tool_call_part(call.id, call.function.name, call.function.arguments) for call in calls]


def read_response(result: Any) -> Content:
    """Read a `GetChatCompletionResponse`."""
    return make_output([_read_output(output, output.message) for output in result.outputs])


def read_deferred_response(result: Any) -> Content:
    """Read a `GetDeferredCompletionResponse`."""
    return read_response(result.response) if result.HasField("response") else {}


def _read_output(output: Any, message: Any) -> Message:
    parts = reasoning_parts(message.reasoning_content) + text_parts(message.content) + _read_calls(message.tool_calls)
    return make_answer(parts, read_enum_name(output, "finish_reason"))


def join_chunks(chunks: Sequence[Any]) -> Content:
    """Read all chunks of a stream, whose calls of tools come whole."""
    joined: dict[int, Message] = {}
    for chunk in chunks:
        for output in chunk.outputs:
            piece = _read_output(output, output.delta)
            before = joined.get(output.index)
            if before is not None:
                piece["parts"] = merge_parts([*before["parts"], *piece["parts"]])
                if not output.finish_reason:
                    piece["finish_reason"] = before["finish_reason"]
            joined[output.index] = piece
    return make_output([joined[index] for index in sorted(joined)])


CHAT = ContentReader(read_request, read_response, join_chunks)
DEFERRED = CHAT._replace(response=read_deferred_response)
