"""The words of Ollama's chats and completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, get
from otel_agentops.clients._protocols.openai_chat_content import read_message_parts, read_turns
from otel_agentops.clients._protocols.parts import (
    Part,
    blob_part,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    reasoning_parts,
    text_parts,
)


def read_request(body: Mapping[str, Any]) -> Content:
    """Read `POST /api/chat` or `/api/generate`; the latter has the system's words apart."""
    if "messages" not in body:
        parts = text_parts(body.get("prompt")) + _read_images(body)
        return make_input([make_message("user", parts)] if parts else [], text_parts(body.get("system")))
    messages = read_turns(body["messages"])
    for turn, message in zip(body["messages"], messages, strict=False):
        message["parts"] += _read_images(turn)
    return make_input(messages)


def _read_images(holder: object) -> list[Part]:
    return [blob_part("image", get(image, "value") or image) for image in as_list(get(holder, "images"))]


def read_response(result: object) -> Content:
    """Read a whole answer."""
    return make_output([make_answer(_read_answer(result), get(result, "done_reason"))])


def _read_answer(result: object) -> list[Part]:
    message = get(result, "message")
    if message is None:
        return reasoning_parts(get(result, "thinking")) + text_parts(get(result, "response"))
    return read_message_parts(message)


def join_chunks(chunks: Sequence[object]) -> Content:
    """Read all chunks of a stream; each is an answer with a piece of the text."""
    parts = merge_parts(part for chunk in chunks for part in _read_answer(chunk))
    return make_output([make_answer(parts, get(chunks[-1], "done_reason"))])


GENERATION = ContentReader(read_request, read_response, join_chunks)
