"""Hugging Face's own shapes: generated text and features of its inference service. Its chat is OpenAI's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import direction, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply

_PATH = re.compile(r"/hf-inference/models/(?P<model>.+?)(?P<features>/pipeline/feature-extraction)?$")
SEED = 42  # of a request that names none


def generated(body: dict[str, Any], answer: Answer) -> list[dict[str, Any]]:
    whole: dict[str, Any] = {"generated_text": answer.text}
    if _asked(body, "details"):
        whole["details"] = {**_details(body, answer), "prefill": [], "tokens": []}
    return [whole]


def tokens(body: dict[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
    parts = pieces(answer.text, answer.chunks)
    for index, part in enumerate(parts, 1):
        last = index == len(parts)
        yield {
            "index": index, "token": {"id": index, "text": part, "logprob": -0.1, "special": False},
            "generated_text": answer.text if last else None,
            "details": {**_details(body, answer), "input_length": answer.input_tokens} if last else None,
        }  # fmt: skip


def _details(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    seed = _asked(body, "seed") or SEED
    return {"finish_reason": answer.finish or "eos_token", "generated_tokens": answer.output_tokens, "seed": seed}


def _asked(body: dict[str, Any], name: str) -> Any:
    return (body.get("parameters") or {}).get(name)


def features(body: dict[str, Any]) -> list[list[float]]:
    given = body.get("inputs")
    return [direction(str(each), 8) for each in ([given] if isinstance(given, str) else given or [])]


# -- the dialect


def _reply(call: Call, answer: Answer) -> Reply | None:
    found = _PATH.search(call.path.partition("?")[0])
    if call.method != "POST" or found is None:
        return None
    if found["features"]:
        return Reply(lambda: features(call.body))
    streams = (lambda: tokens(call.body, answer)) if call.body.get("stream") else None
    return Reply(lambda: generated(call.body, answer), streams)


def _model(path: str, body: dict[str, Any]) -> str:
    found = _PATH.search(path.partition("?")[0])
    return found["model"] if found else ""


DIALECT = Dialect(
    speaks=lambda path: not path.endswith("/chat/completions") and bool(_PATH.search(path.partition("?")[0])),
    reply=_reply,
    error=lambda message, status: {"error": message, "error_type": "validation" if status < 500 else "generation"},
    model=_model,
    frame=lambda event: b"data:" + json.dumps(event).encode() + b"\n\n",
    failure=lambda message: b"data:" + json.dumps({"error": message, "error_type": "generation"}).encode() + b"\n\n",
)
