"""watsonx.ai's shapes: OpenAI's chat under other paths, completions and embeddings of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, bound

CREATED = "2026-06-01T00:00:00.000Z"


def chat(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    plain = openai_wire.chat(body, model, answer)
    return {**_named(model), **{name: plain[name] for name in ("id", "created", "choices", "usage")}}


def chat_chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    """The last one has what was used, whether or not it is asked for."""
    for chunk in openai_wire.chat_chunks({**body, "stream_options": {"include_usage": True}}, model, answer):
        used = {"usage": chunk["usage"]} if chunk["usage"] else {}
        yield {**_named(model), **{name: chunk[name] for name in ("id", "created", "choices")}, **used}


def generation(model: str, answer: Answer) -> dict[str, Any]:
    counts = {"input_token_count": answer.input_tokens, "generated_token_count": answer.output_tokens}
    result = {"generated_text": answer.text, **counts, "stop_reason": answer.finish or "eos_token"}
    return {"model_id": model, "created_at": CREATED, "results": [result]}


def generation_chunks(model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    """Input is counted in the first, output is the count so far."""
    last = generation(model, answer)["results"][0]
    for number, text in enumerate(openai_wire.pieces(answer.text, answer.chunks)):
        counts = {"input_token_count": 0 if number else answer.input_tokens, "generated_token_count": number + 1}
        result = {"generated_text": text, **counts, "stop_reason": "not_finished"}
        yield {"model_id": model, "created_at": CREATED, "results": [result]}
    yield {"model_id": model, "results": [{**last, "generated_text": "", "input_token_count": 0}]}


def embeddings(body: dict[str, Any], model: str) -> dict[str, Any]:
    texts = body.get("inputs") or []
    vectors = [{"embedding": openai_wire.direction(text, 8)} for text in texts]
    return {**_named(model), "results": vectors, "input_token_count": sum(len(text.split()) for text in texts)}


def _named(model: str) -> dict[str, Any]:
    return {"model_id": model, "model": model}


# -- the dialect


def _reply(call: Call, answer: Answer) -> Reply | None:
    path, body, model = call.path.partition("?")[0], call.body, call.model
    said = bound(body, answer)
    if call.method != "POST":
        return None
    if path.endswith("/embeddings"):
        return Reply(lambda: embeddings(body, model))
    if path.endswith("/chat"):
        return Reply(lambda: chat(body, model, said))
    if path.endswith("/chat_stream"):
        return Reply(lambda: None, lambda: chat_chunks(body, model, said))
    if path.endswith("/generation"):
        return Reply(lambda: generation(model, said))
    return Reply(lambda: None, lambda: generation_chunks(model, said))


_ENDS = ("/text/chat", "/text/chat_stream", "/text/generation", "/text/generation_stream", "/text/embeddings")


def _asked(path: str, body: dict[str, Any]) -> str:
    """A deployment is a model by its own name."""
    return str(body.get("model_id") or path.partition("/deployments/")[2].partition("/")[0])


def _error(message: str, status: int) -> dict[str, Any]:
    return {"errors": [{"code": openai_wire.kind_of(status), "message": message}], "status_code": status}


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: message\ndata: {json.dumps(event)}\n\n".encode()


DIALECT = Dialect(
    speaks=lambda path: path.startswith("/ml/v1/") and path.partition("?")[0].endswith(_ENDS),
    reply=_reply,
    error=_error,
    model=_asked,
    frame=_frame,
    failure=lambda message: f"event: error\ndata: {json.dumps(_error(message, 500))}\n\n".encode(),
)
