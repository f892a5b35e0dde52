"""Google's shapes: content and interactions, whole and as events, embeddings, on Gemini's own paths and Vertex's."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import schema
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import direction, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, asked_in_body, sse

_PATH = re.compile(r"/([^/:?]+):([A-Za-z]+)(?:\?|$)")  # .../models/gemini-x:generateContent


def content(model: str, answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    count = (body.get("generationConfig") or {}).get("candidateCount") or 1
    candidate = {"content": {"parts": _parts(answer), "role": "model"}, "finishReason": _finish(answer)}
    return {"candidates": [{**candidate, "index": index} for index in range(count)], **_rest(model, answer)}


def chunks(model: str, answer: Answer, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each names model and id and counts the tokens so far; the reason comes with the last part of a candidate."""
    count = (body.get("generationConfig") or {}).get("candidateCount") or 1
    parts = list(_streamed(answer))
    for index in range(count):
        for position, part in enumerate(parts):
            candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": index}
            if position == len(parts) - 1:
                candidate["finishReason"] = _finish(answer)
                yield {"candidates": [candidate], **_rest(model, answer)}
            else:
                so_far = {"promptTokenCount": answer.input_tokens, "totalTokenCount": answer.input_tokens}
                yield {"candidates": [candidate], **_rest(model, answer), "usageMetadata": so_far}


def embeddings(body: dict[str, Any], verb: str) -> dict[str, Any]:
    if verb == "predict":
        size = (body.get("parameters") or {}).get("outputDimensionality") or 256
        return {"predictions": [{"embeddings": _counted(each["content"], size)} for each in body["instances"]]}
    asked = body.get("requests") or [body]
    found = []
    for each in asked:
        size = (each.get("embedContentConfig") or each).get("outputDimensionality") or 256
        found.append({"values": direction(_text(each["content"]), size)})
    tokens = sum(len(_text(each["content"]).split()) for each in asked)
    name = {"batchEmbedContents": "embeddings"}.get(verb, "embedding")
    return {name: found if name == "embeddings" else found[0], "usageMetadata": {"promptTokenCount": tokens}}


def _counted(text: str, size: int) -> dict[str, Any]:
    return {"values": direction(text, size), "statistics": {"token_count": len(text.split()), "truncated": False}}


def _text(given: dict[str, Any]) -> str:
    return " ".join(part.get("text", "") for part in given.get("parts", []))


def _parts(answer: Answer) -> list[dict[str, Any]]:
    thoughts = [{"text": answer.thinking, "thought": True}] if answer.thinking else []
    words = [{"text": answer.text}] if answer.text or not answer.tool_calls else []
    return [*thoughts, *words, *_calls(answer)]


def _streamed(answer: Answer) -> Iterator[dict[str, Any]]:
    if answer.thinking:
        yield {"text": answer.thinking, "thought": True}
    if answer.text or not answer.tool_calls:
        yield from ({"text": text} for text in pieces(answer.text, answer.chunks))
    yield from _calls(answer)


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": call.name, "args": json.loads(call.arguments)}} for call in answer.tool_calls]


def _finish(answer: Answer) -> str:
    return answer.finish or "STOP"  # also where tools are called


def _rest(model: str, answer: Answer) -> dict[str, Any]:
    """Cached input is part of the prompt's count here, thoughts are not part of the candidates'."""
    usage = {
        "promptTokenCount": answer.input_tokens,
        "cachedContentTokenCount": answer.cached_tokens,
        "candidatesTokenCount": answer.output_tokens - answer.reasoning_tokens,
        "thoughtsTokenCount": answer.reasoning_tokens,
        "totalTokenCount": answer.input_tokens + answer.output_tokens,
    }
    return {"usageMetadata": usage, "modelVersion": model, "responseId": answer.id}


# -- interactions


def interaction(model: str, answer: Answer) -> dict[str, Any]:
    """Cached input is part of the input's count here too, and thoughts are apart."""
    usage = {
        "total_input_tokens": answer.input_tokens,
        "total_cached_tokens": answer.cached_tokens,
        "total_output_tokens": answer.output_tokens - answer.reasoning_tokens,
        "total_thought_tokens": answer.reasoning_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    status = answer.finish or ("requires_action" if answer.tool_calls else "completed")
    named = {"model": model} if model else {}  # an agent's has none
    return {"id": f"int_{answer.id}", **named, "status": status, "steps": _steps(answer), "usage": usage}


def interaction_events(model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    whole = interaction(model, answer)
    yield {"event_type": "interaction.created", "interaction": {**_bare(whole), "status": "in_progress"}}
    for index, step in enumerate(whole["steps"]):
        empty: dict[str, Any] = {"content": []} if "content" in step else {"arguments": {}}
        yield {"event_type": "step.start", "index": index, "step": {**step, **empty}}
        for delta in _deltas(step, answer.chunks):
            yield {"event_type": "step.delta", "index": index, "delta": delta}
        yield {"event_type": "step.stop", "index": index}
    yield {"event_type": "interaction.completed", "interaction": {**_bare(whole), "usage": whole["usage"]}}


def _bare(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in ("id", "model", "status") if name in whole}


def _steps(answer: Answer) -> list[dict[str, Any]]:
    words = {"type": "model_output", "content": [{"type": "text", "text": answer.text}]}
    calls = [
        {"type": "function_call", "id": call.id, "name": call.name, "arguments": json.loads(call.arguments)}
        for call in answer.tool_calls
    ]
    return ([words] if answer.text or not calls else []) + calls


def _deltas(step: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    if "content" in step:
        yield from ({"type": "text", "text": text} for text in pieces(step["content"][0]["text"], chunks))
    else:
        for part in pieces(json.dumps(step["arguments"]), 2):
            yield {"type": "arguments_delta", "arguments": part}


# -- the dialect

_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


def _error(message: str, status: int) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": _WORDS.get(status, "UNAVAILABLE")}}


def _bound(body: dict[str, Any], answer: Answer) -> Answer:
    config = body.get("generationConfig") or {}
    wanted = config.get("responseJsonSchema") or config.get("responseSchema")
    if wanted is None or answer.tool_calls or schema.is_json(answer.text):
        return answer
    return dataclasses.replace(answer, text=json.dumps(schema.example(_lower(wanted))))


def _lower(google: Any) -> Any:
    if isinstance(google, dict):
        return {k: v.lower() if k == "type" and isinstance(v, str) else _lower(v) for k, v in google.items()}
    return google


def _reply(call: Call, answer: Answer) -> Reply | None:
    if _interacts(call.path):
        return _interaction(call, answer) if call.method == "POST" else None
    found = _PATH.search(call.path)
    verb = found[2] if found and call.method == "POST" else ""
    said = _bound(call.body, answer)
    if verb == "generateContent":
        return Reply(lambda: content(call.model, said, call.body))
    if verb == "streamGenerateContent":
        return Reply(lambda: content(call.model, said, call.body), lambda: chunks(call.model, said, call.body))
    if verb == "countTokens":
        return Reply(lambda: {"totalTokens": answer.input_tokens})
    return Reply(lambda: embeddings(call.body, verb)) if verb in _EMBEDDINGS else None


def _interaction(call: Call, answer: Answer) -> Reply:
    if not call.body.get("stream"):
        return Reply(lambda: interaction(call.model, answer))
    end = b"data: [DONE]\n\n"
    return Reply(lambda: interaction(call.model, answer), lambda: interaction_events(call.model, answer), end)


def _interacts(path: str) -> bool:
    return path.partition("?")[0].endswith("/interactions")


_EMBEDDINGS = ("batchEmbedContents", "embedContent", "predict")
_VERBS = ("generateContent", "streamGenerateContent", "countTokens", *_EMBEDDINGS)


def _asked(path: str, body: dict[str, Any]) -> str:
    found = _PATH.search(path)
    return found[1] if found else asked_in_body(path, body)


def _speaks(path: str) -> bool:
    found = _PATH.search(path)
    return (found is not None and found[2] in _VERBS) or _interacts(path)


DIALECT = Dialect(
    speaks=_speaks,
    reply=_reply,
    error=_error,
    model=_asked,
    failure=lambda message: sse(_error(message, 500)),
)
