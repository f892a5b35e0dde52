"""Ollama's shapes: chat, completions and embeddings; a stream is JSON objects, one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.wire import Dialect, Route

CREATED = "2026-06-01T00:00:00.000000Z"
CHAT = "/api/chat"


def write_answer(call: Call, answer: Answer) -> Json:
    """Return the answer of a chat or a completion."""
    calls = [{"function": {"name": tool.name, "arguments": json.loads(tool.arguments)}} for tool in answer.tool_calls]
    return {**_write_part(call, answer.text, calls), **_write_end(answer)}


def write_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the chunks of a chat or a completion."""
    for text in split_text(answer.text, answer.chunks):
        yield {**_write_part(call, text), "done": False}
    calls = [{"function": {"name": tool.name, "arguments": json.loads(tool.arguments)}} for tool in answer.tool_calls]
    if calls:
        yield {**_write_part(call, "", calls), "done": False}
    yield {**_write_part(call, ""), **_write_end(answer)}


def _write_part(call: Call, text: str, calls: Sequence[Json] = ()) -> Json:
    head: Json = {"model": call.model, "created_at": CREATED}
    if not call.path.partition("?")[0].endswith(CHAT):
        return {**head, "response": text}
    return {**head, "message": {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}}


def _write_end(answer: Answer) -> Json:
    return {
        "done": True, "done_reason": answer.finish or "stop", "total_duration": 5_000_000, "load_duration": 1_000_000,
        "prompt_eval_count": answer.input_tokens, "prompt_eval_duration": 1_000_000,
        "eval_count": answer.output_tokens, "eval_duration": 3_000_000,
    }  # fmt: skip


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return the embeddings of one text or of several."""
    texts = call.body.get("input") or []
    texts = [texts] if isinstance(texts, str) else texts
    vectors = [embed_text(text, call.body.get("dimensions") or 8) for text in texts]
    return {"model": call.model, "embeddings": vectors, "prompt_eval_count": sum(len(text.split()) for text in texts)}


def _find_schema(body: Body) -> Body | None:
    schema = body.get("format")
    return schema if isinstance(schema, dict) else None  # it may be the word json, too


_ANSWER = Route(write_answer, write_chunks, wants_stream=lambda call: call.body.get("stream", True))
DIALECT = Dialect(
    routes={
        CHAT: _ANSWER,
        "/api/generate": _ANSWER,
        "/api/embed": Route(write_embeddings),
        "/api/embeddings": Route(lambda call, answer: {"embedding": embed_text(str(call.body.get("prompt")), 8)}),
    },
    error=lambda message, status: {"error": message},
    find_schema=_find_schema,
    frame=lambda event: json.dumps(event).encode() + b"\n",
    malformed=b"{nope\n",
    content_type="application/x-ndjson",
)
