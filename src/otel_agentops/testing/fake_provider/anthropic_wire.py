"""Anthropic's shapes: messages, whole and as events, also on Vertex."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import split_text
from otel_agentops.testing.fake_provider.openai_wire import name_error
from otel_agentops.testing.fake_provider.wire import Dialect, Route


def write_message(call: Call, answer: Answer) -> Body:
    """Return a message, in whose usage cached input is counted apart from the rest."""
    content: list[Body] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmF0dXJl"})
    if answer.text or not answer.tool_calls:
        content.append({"type": "text", "text": answer.text})
    for tool_call in answer.tool_calls:
        arguments = json.loads(tool_call.arguments)
        content.append({"type": "tool_use", "id": tool_call.id, "name": tool_call.name, "input": arguments})
    usage = {
        "input_tokens": answer.fresh_tokens,
        "cache_read_input_tokens": answer.cached_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "service_tier": "standard",
        **_count_output(answer),
    }
    reason = answer.finish or ("tool_use" if answer.tool_calls else "end_turn")
    return {
        "id": f"msg_{answer.id}", "type": "message", "role": "assistant", "model": call.model, "content": content,
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def write_message_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of a message."""
    whole = write_message(call, answer)
    usage = {**whole["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": usage}}
    for index, block in enumerate(whole["content"]):
        empty, deltas = _split_block(block, answer.chunks)
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": _count_output(answer)}
    yield {"type": "message_stop"}


def _split_block(block: Body, chunks: int) -> tuple[Json, list[Json]]:
    """Return the fields that are empty when a block starts, and the deltas that fill them."""
    deltas: list[Json]
    if block["type"] == "text":
        return {"text": ""}, [{"type": "text_delta", "text": text} for text in split_text(block["text"], chunks)]
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": text} for text in split_text(block["thinking"], chunks)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"thinking": "", "signature": ""}, deltas
    parts = split_text(json.dumps(block["input"]), 2)
    return {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]


def _count_output(answer: Answer) -> Json:
    details = {"output_tokens_details": {"thinking_tokens": answer.reasoning_tokens}} if answer.thinking else {}
    return {"output_tokens": answer.output_tokens, **details}


DIALECT = Dialect(
    routes={
        "/messages": Route(write_message, write_message_events),
        "/messages/count_tokens": Route(lambda call, answer: {"input_tokens": answer.input_tokens}),
        r"(?<!/publishers/mistralai)/models/(?P<model>[^/]+):(?:rawPredict|streamRawPredict)": Route(
            write_message, write_message_events
        ),
    },
    error=lambda message, status: {
        "type": "error",
        "error": {"type": name_error(status), "message": message},
        "request_id": "req_fake",
    },
)
