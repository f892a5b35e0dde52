"""Hugging Face's own shapes: generated text and features of its inference service. Its chat is OpenAI's."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_agentops.testing.fake_provider.behaviour import Answer, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.wire import Dialect, Route

SEED = 42  # of a request that names none


def write_text(call: Call, answer: Answer) -> list[Json]:
    """Return the generated text, with details if the request asks for them."""
    if not (call.body.get("parameters") or {}).get("details"):
        return [{"generated_text": answer.text}]
    details = {**_write_details(call, answer), "prefill": [], "tokens": []}
    return [{"generated_text": answer.text, "details": details}]


def write_tokens(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the generated tokens; the last one has the whole text and its details."""
    parts = split_text(answer.text, answer.chunks)
    for index, part in enumerate(parts, 1):
        details = {**_write_details(call, answer), "input_length": answer.input_tokens}
        is_last = index == len(parts)
        yield {
            "index": index, "token": {"id": index, "text": part, "logprob": -0.1, "special": False},
            "generated_text": answer.text if is_last else None, "details": details if is_last else None,
        }  # fmt: skip


def _write_details(call: Call, answer: Answer) -> Json:
    seed = (call.body.get("parameters") or {}).get("seed") or SEED
    return {"finish_reason": answer.finish or "eos_token", "generated_tokens": answer.output_tokens, "seed": seed}


def write_features(call: Call, answer: Answer) -> list[list[float]]:
    """Return a vector for each of the inputs."""
    inputs = call.body.get("inputs") or []
    return [embed_text(str(text), 8) for text in ([inputs] if isinstance(inputs, str) else inputs)]


DIALECT = Dialect(
    base=r"/hf-inference/models/(?P<model>[^?]+?)",
    routes={
        "/pipeline/feature-extraction": Route(write_features),
        "(?<!/chat/completions)": Route(write_text, write_tokens),
    },
    error=lambda message, status: {"error": message, "error_type": "validation" if status < 500 else "generation"},
    find_schema=lambda body: None,
    frame=lambda event: b"data:" + json.dumps(event).encode() + b"\n\n",
)
