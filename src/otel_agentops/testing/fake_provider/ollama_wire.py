"""Ollama's shapes: chat, completions and embeddings; a stream is JSON objects, one a line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

from otel_agentops.testing.fake_provider import schema
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import direction, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply

CREATED = "2026-06-01T00:00:00.000000Z"


def _chat(text: str, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}}


def _completion(text: str, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"response": text}


Part = Callable[..., dict[str, Any]]


def whole(part: Part, model: str, answer: Answer) -> dict[str, Any]:
    return {**_head(model), **part(answer.text, _calls(answer)), **_end(answer)}


def chunks(part: Part, model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    for text in pieces(answer.text, answer.chunks):
        yield {**_head(model), **part(text), "done": False}
    if answer.tool_calls:
        yield {**_head(model), **part("", _calls(answer)), "done": False}
    yield {**_head(model), **part(""), **_end(answer)}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"function": {"name": call.name, "arguments": json.loads(call.arguments)}} for call in answer.tool_calls
    ]  # fmt: skip


def _head(model: str) -> dict[str, Any]:
    return {"model": model, "created_at": CREATED}


def _end(answer: Answer) -> dict[str, Any]:
    return {
        "done": True, "done_reason": answer.finish or "stop", "total_duration": 5_000_000, "load_duration": 1_000_000,
        "prompt_eval_count": answer.input_tokens, "prompt_eval_duration": 1_000_000,
        "eval_count": answer.output_tokens, "eval_duration": 3_000_000,
    }  # fmt: skip


def embed(body: dict[str, Any], model: str) -> dict[str, Any]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given or []
    vectors = [direction(text, body.get("dimensions") or 8) for text in texts]
    return {"model": model, "embeddings": vectors, "prompt_eval_count": sum(len(text.split()) for text in texts)}


# -- the dialect


def _bound(body: dict[str, Any], answer: Answer) -> Answer:
    """`format` is a schema or the word json."""
    wanted = body.get("format")
    if not isinstance(wanted, dict) or answer.tool_calls or schema.is_json(answer.text):
        return answer
    return dataclasses.replace(answer, text=json.dumps(schema.example(wanted)))


def _reply(call: Call, answer: Answer) -> Reply | None:
    path, body, model = call.path.partition("?")[0], call.body, call.model
    if call.method != "POST":
        return None
    if path.endswith("/api/embed"):
        return Reply(lambda: embed(body, model))
    if path.endswith("/api/embeddings"):
        return Reply(lambda: {"embedding": direction(str(body.get("prompt")), 8)})
    part, said = _PARTS[path.rpartition("/")[2]], _bound(body, answer)
    streams = body.get("stream", True)  # unlike elsewhere, unless it is refused
    return Reply(lambda: whole(part, model, said), (lambda: chunks(part, model, said)) if streams else None)


_PARTS: dict[str, Part] = {"chat": _chat, "generate": _completion}
_PATHS = ("/api/chat", "/api/generate", "/api/embed", "/api/embeddings")


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


DIALECT = Dialect(
    speaks=lambda path: path.partition("?")[0].endswith(_PATHS),
    reply=_reply,
    error=lambda message, status: {"error": message},
    frame=_line,
    failure=lambda message: _line({"error": message}),
    malformed=b"{nope\n",
    content_type="application/x-ndjson",
)
