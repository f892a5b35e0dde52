"""Anthropic's shapes: messages, whole and as events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import kind_of, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, asked_in_body, bound, sse


def message(model: str, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": model, "content": _content(answer),
        "stop_reason": _stop(answer), "stop_sequence": None, "usage": _usage(answer),
    }  # fmt: skip


def events(model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    usage = {**_usage(answer), "output_tokens": 1}
    start = {**message(model, answer), "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(_content(answer)):
        empty, deltas = _PARTS[block["type"]]
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas(block, answer.chunks):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": _stop(answer), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": _output(answer)}
    yield {"type": "message_stop"}


def _text(block: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    for text in pieces(block["text"], chunks):
        yield {"type": "text_delta", "text": text}


def _thinking(block: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    for text in pieces(block["thinking"], chunks):
        yield {"type": "thinking_delta", "thinking": text}
    yield {"type": "signature_delta", "signature": block["signature"]}


def _input(block: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    for part in pieces(json.dumps(block["input"]), 2):
        yield {"type": "input_json_delta", "partial_json": part}


# block type -> what of it is empty at its start, and how the rest comes
_PARTS: dict[str, Any] = {
    "text": ({"text": ""}, _text),
    "thinking": ({"thinking": "", "signature": ""}, _thinking),
    "tool_use": ({"input": {}}, _input),
}


def _content(answer: Answer) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmF0dXJl"})
    if answer.text or not answer.tool_calls:
        content.append({"type": "text", "text": answer.text})
    for call in answer.tool_calls:
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)})
    return content


def _usage(answer: Answer) -> dict[str, Any]:
    """Here, unlike at OpenAI, cached input is counted apart from the rest."""
    return {
        "input_tokens": answer.input_tokens - answer.cached_tokens - answer.cache_write_tokens,
        "cache_read_input_tokens": answer.cached_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "service_tier": "standard",
        **_output(answer),
    }


def _output(answer: Answer) -> dict[str, Any]:
    details = {"output_tokens_details": {"thinking_tokens": answer.reasoning_tokens}} if answer.thinking else {}
    return {"output_tokens": answer.output_tokens, **details}


def _stop(answer: Answer) -> str:
    return answer.finish or ("tool_use" if answer.tool_calls else "end_turn")


# -- the dialect


def _error(message: str, status: int) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind_of(status), "message": message}, "request_id": "req_fake"}


_CLOUDS = re.compile(r"(?<!/publishers/mistralai)/models/([^/]+)(?::rawPredict|:streamRawPredict)$")  # Vertex


def _asked(path: str, body: dict[str, Any]) -> str:
    cloud = _CLOUDS.search(path)
    return unquote(cloud[1]) if cloud else asked_in_body(path, body)


def _speaks(path: str) -> bool:
    path = path.partition("?")[0]
    return path.endswith(("/messages", "/messages/count_tokens")) or bool(_CLOUDS.search(path))


def _reply(call: Call, answer: Answer) -> Reply | None:
    if call.method != "POST":
        return None
    if "/messages/count_tokens" in call.path:
        return Reply(lambda: {"input_tokens": answer.input_tokens})
    said = bound(call.body, answer)
    if not call.body.get("stream"):
        return Reply(lambda: message(call.model, said))
    return Reply(lambda: message(call.model, said), lambda: events(call.model, said))


DIALECT = Dialect(
    speaks=_speaks,
    reply=_reply,
    error=_error,
    model=_asked,
    failure=lambda message: sse(_error(message, 500)),
)
