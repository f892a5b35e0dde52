"""Converse's shapes: a message, whole and as events."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import split_text


def write_message(call: Call, answer: Answer) -> Body:
    """Return the answer of Converse; it names no model, has no id, and counts cached input apart from the rest."""
    content: list[Json] = []
    if answer.thinking:
        content.append({"reasoningContent": {"reasoningText": {"text": answer.thinking, "signature": "c2ln"}}})
    if answer.text or not answer.tool_calls:
        content.append({"text": answer.text})
    for tool in answer.tool_calls:
        arguments = json.loads(tool.arguments)
        content.append({"toolUse": {"toolUseId": tool.id, "name": tool.name, "input": arguments}})
    usage = {
        "inputTokens": answer.fresh_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.total_tokens,
        "cacheReadInputTokens": answer.cached_tokens,
        "cacheWriteInputTokens": answer.cache_write_tokens,
    }
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": answer.finish or ("tool_use" if answer.tool_calls else "end_turn"),
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }


def write_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of ConverseStream, each an object of its type alone."""
    whole = write_message(call, answer)
    yield {"messageStart": {"role": "assistant"}}
    for index, block in enumerate(whole["output"]["message"]["content"]):
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield {"contentBlockStart": {"start": start, "contentBlockIndex": index}}
        for delta in _write_deltas(block, answer.chunks):
            yield {"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": whole["stopReason"]}}
    yield {"metadata": {"usage": whole["usage"], "metrics": whole["metrics"]}}


def _write_deltas(block: Body, chunks: int) -> list[Json]:
    if "toolUse" in block:
        return [{"toolUse": {"input": part}} for part in split_text(json.dumps(block["toolUse"]["input"]), 2)]
    if "reasoningContent" in block:
        text = block["reasoningContent"]["reasoningText"]["text"]
        return [{"reasoningContent": {"text": part}} for part in split_text(text, chunks)]
    return [{"text": part} for part in split_text(block["text"], chunks)]
