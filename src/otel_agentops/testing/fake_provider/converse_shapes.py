"""Converse's shapes: a message, whole and as events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider.behaviour import Answer
from otel_agentops.testing.fake_provider.openai_wire import pieces


def converse(answer: Answer) -> dict[str, Any]:
    """The answer of Converse. It names no model and has no id."""
    return {
        "output": {"message": {"role": "assistant", "content": content(answer)}},
        "stopReason": stop(answer),
        **_end(answer),
    }


def events(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same as events, each with its type."""
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(content(answer)):
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield "contentBlockStart", {"start": start, "contentBlockIndex": index}
        for delta in _deltas(block, answer.chunks):
            yield "contentBlockDelta", {"delta": delta, "contentBlockIndex": index}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", {"stopReason": stop(answer)}
    yield "metadata", _end(answer)


def _deltas(block: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    if "toolUse" in block:
        for part in pieces(json.dumps(block["toolUse"]["input"]), 2):
            yield {"toolUse": {"input": part}}
    elif "reasoningContent" in block:
        for part in pieces(block["reasoningContent"]["reasoningText"]["text"], chunks):
            yield {"reasoningContent": {"text": part}}
    else:
        for part in pieces(block["text"], chunks):
            yield {"text": part}


def content(answer: Answer) -> list[dict[str, Any]]:
    """The blocks of a message."""
    blocks: list[dict[str, Any]] = []
    if answer.thinking:
        blocks.append({"reasoningContent": {"reasoningText": {"text": answer.thinking, "signature": "c2ln"}}})
    if answer.text or not answer.tool_calls:
        blocks.append({"text": answer.text})
    for call in answer.tool_calls:
        blocks.append({"toolUse": {"toolUseId": call.id, "name": call.name, "input": json.loads(call.arguments)}})
    return blocks


def stop(answer: Answer) -> str:
    return answer.finish or ("tool_use" if answer.tool_calls else "end_turn")


def usage(answer: Answer) -> dict[str, int]:
    """Cached input is counted apart from the rest."""
    return {
        "inputTokens": answer.input_tokens - answer.cached_tokens - answer.cache_write_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens,
        "cacheReadInputTokens": answer.cached_tokens,
        "cacheWriteInputTokens": answer.cache_write_tokens,
    }


def _end(answer: Answer) -> dict[str, Any]:
    return {"usage": usage(answer), "metrics": {"latencyMs": 1}}
