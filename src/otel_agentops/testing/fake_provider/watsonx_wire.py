"""watsonx.ai's shapes: OpenAI's chat under other paths, completions and embeddings of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.wire import Dialect, Route

CREATED = "2026-06-01T00:00:00.000Z"


def write_chat(call: Call, answer: Answer) -> Json:
    """Return a chat completion."""
    whole = openai_wire.write_chat(call, answer)
    return {**_name_model(call), **{name: whole[name] for name in ("id", "created", "choices", "usage")}}


def write_chat_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the chunks of a chat completion; the last one always has the usage."""
    for chunk in openai_wire.write_chat_chunks(call, answer, has_usage=True):
        names = ("id", "created", "choices", *(["usage"] if chunk["usage"] else []))
        yield {**_name_model(call), **{name: chunk[name] for name in names}}


def write_generation(call: Call, answer: Answer) -> Json:
    """Return a completion."""
    counts = {"input_token_count": answer.input_tokens, "generated_token_count": answer.output_tokens}
    result = {"generated_text": answer.text, **counts, "stop_reason": answer.finish or "eos_token"}
    return {"model_id": call.model, "created_at": CREATED, "results": [result]}


def write_generation_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the chunks of a completion; the first one counts the input, and all count the output so far."""
    for number, text in enumerate(split_text(answer.text, answer.chunks)):
        counts = {"input_token_count": 0 if number else answer.input_tokens, "generated_token_count": number + 1}
        result = {"generated_text": text, **counts, "stop_reason": "not_finished"}
        yield {"model_id": call.model, "created_at": CREATED, "results": [result]}
    counts = {"input_token_count": 0, "generated_token_count": answer.output_tokens}
    last = {"generated_text": "", **counts, "stop_reason": answer.finish or "eos_token"}
    yield {"model_id": call.model, "results": [last]}


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return embeddings."""
    texts = call.body.get("inputs") or []
    vectors = [{"embedding": embed_text(text, 8)} for text in texts]
    return {**_name_model(call), "results": vectors, "input_token_count": sum(len(text.split()) for text in texts)}


def _name_model(call: Call) -> Json:
    return {"model_id": call.model, "model": call.model}


def _write_error(message: str, status: int) -> Body:
    return {"errors": [{"code": openai_wire.name_error(status), "message": message}], "status_code": status}


DIALECT = Dialect(
    base=r"^(?=/ml/v1/)(?:.*/deployments/(?P<default_model>[^/]+))?.*",  # a deployment is a model by its own name
    model_key="model_id",
    routes={
        "/text/chat": Route(write_chat),
        "/text/chat_stream": Route(None, write_chat_chunks),
        "/text/generation": Route(write_generation),
        "/text/generation_stream": Route(None, write_generation_chunks),
        "/text/embeddings": Route(write_embeddings),
    },
    error=_write_error,
    frame=lambda event: f"event: message\ndata: {json.dumps(event)}\n\n".encode(),
    failure=lambda message: f"event: error\ndata: {json.dumps(_write_error(message, 500))}\n\n".encode(),
)
