"""Google's shapes: content and interactions, whole and as events, embeddings, on Gemini's own paths and Vertex's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Dialect, Route

_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
}  # fmt: skip


def write_content(call: Call, answer: Answer) -> Json:
    """Return generated content."""
    parts = _write_parts(answer, [answer.text])
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": answer.finish or "STOP"}
    candidates = [{**candidate, "index": index} for index in range(_count_candidates(call))]
    return {"candidates": candidates, **_write_rest(call, answer)}


def write_content_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the chunks of generated content.

    Each names model and id and counts the tokens so far; the finish reason comes with the last part of a candidate.
    """
    parts = _write_parts(answer, split_text(answer.text, answer.chunks))
    for index in range(_count_candidates(call)):
        for position, part in enumerate(parts):
            candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
            if position == len(parts) - 1:
                ended = {**candidate, "finishReason": answer.finish or "STOP"}  # STOP with tool calls, too
                yield {"candidates": [ended], **_write_rest(call, answer)}
            else:
                so_far = {"promptTokenCount": answer.input_tokens, "totalTokenCount": answer.input_tokens}
                yield {"candidates": [candidate], **_write_rest(call, answer), "usageMetadata": so_far}


def _count_candidates(call: Call) -> int:
    return int((call.body.get("generationConfig") or {}).get("candidateCount") or 1)


def _write_parts(answer: Answer, texts: Sequence[str]) -> list[Json]:
    thoughts: list[Json] = [{"text": answer.thinking, "thought": True}] if answer.thinking else []
    words: list[Json] = [{"text": text} for text in texts] if answer.text or not answer.tool_calls else []
    calls = [{"functionCall": {"name": call.name, "args": json.loads(call.arguments)}} for call in answer.tool_calls]
    return [*thoughts, *words, *calls]


def _write_rest(call: Call, answer: Answer) -> Json:
    usage = {  # cached input is part of the prompt's count, but thoughts are not part of the candidates'
        "promptTokenCount": answer.input_tokens,
        "cachedContentTokenCount": answer.cached_tokens,
        "candidatesTokenCount": answer.output_tokens - answer.reasoning_tokens,
        "thoughtsTokenCount": answer.reasoning_tokens,
        "totalTokenCount": answer.total_tokens,
    }
    return {"usageMetadata": usage, "modelVersion": call.model, "responseId": answer.id}


# -- embeddings


def write_predictions(call: Call, answer: Answer) -> Json:
    """Return the embeddings of Vertex's older models."""
    size = (call.body.get("parameters") or {}).get("outputDimensionality") or 256
    predictions = []
    for instance in call.body["instances"]:
        statistics = {"token_count": len(instance["content"].split()), "truncated": False}
        vector = {"values": embed_text(instance["content"], size), "statistics": statistics}
        predictions.append({"embeddings": vector})
    return {"predictions": predictions}


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return embeddings: those of a batch, or the only one."""
    vectors, tokens = [], 0
    for request in call.body.get("requests") or [call.body]:
        size = (request.get("embedContentConfig") or request).get("outputDimensionality") or 256
        text = " ".join(part.get("text", "") for part in request["content"].get("parts", []))
        vectors.append({"values": embed_text(text, size)})
        tokens += len(text.split())
    usage = {"promptTokenCount": tokens}
    if ":batchEmbedContents" in call.path:
        return {"embeddings": vectors, "usageMetadata": usage}
    return {"embedding": vectors[0], "usageMetadata": usage}


# -- interactions


def write_interaction(call: Call, answer: Answer) -> Body:
    """Return an interaction; in its counts, too, cached input is part of the input and thoughts are apart."""
    usage = {
        "total_input_tokens": answer.input_tokens,
        "total_cached_tokens": answer.cached_tokens,
        "total_output_tokens": answer.output_tokens - answer.reasoning_tokens,
        "total_thought_tokens": answer.reasoning_tokens,
        "total_tokens": answer.total_tokens,
    }
    steps: list[Json] = [
        {"type": "function_call", "id": tool.id, "name": tool.name, "arguments": json.loads(tool.arguments)}
        for tool in answer.tool_calls
    ]
    if answer.text or not steps:
        steps.insert(0, {"type": "model_output", "content": [{"type": "text", "text": answer.text}]})
    status = answer.finish or ("requires_action" if answer.tool_calls else "completed")
    model = {"model": call.model} if call.model else {}  # that of an agent has none
    return {"id": f"int_{answer.id}", **model, "status": status, "steps": steps, "usage": usage}


def write_interaction_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of an interaction."""
    head = write_interaction(call, answer)
    steps, usage = head.pop("steps"), head.pop("usage")
    yield {"event_type": "interaction.created", "interaction": {**head, "status": "in_progress"}}
    for index, step in enumerate(steps):
        if "content" in step:
            empty: Json = {"content": []}
            texts = split_text(step["content"][0]["text"], answer.chunks)
            deltas = [{"type": "text", "text": text} for text in texts]
        else:
            empty = {"arguments": {}}
            parts = split_text(json.dumps(step["arguments"]), 2)
            deltas = [{"type": "arguments_delta", "arguments": part} for part in parts]
        yield {"event_type": "step.start", "index": index, "step": {**step, **empty}}
        for delta in deltas:
            yield {"event_type": "step.delta", "index": index, "delta": delta}
        yield {"event_type": "step.stop", "index": index}
    yield {"event_type": "interaction.completed", "interaction": {**head, "usage": usage}}


# -- the dialect


def _find_schema(body: Body) -> Body | None:
    config = body.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    return None if schema is None else _lower_types(schema)


def _lower_types(schema: Body) -> Body:
    """Return Google's form of a schema, whose types are in capitals, as a JSON schema."""
    lowered: Body = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, str):
            lowered[name] = value.lower()
        else:
            lowered[name] = _lower_types(value) if isinstance(value, dict) else value
    return lowered


_MODEL = r"/(?P<model>[^/:?]+)"
DIALECT = Dialect(
    routes={
        f"{_MODEL}:generateContent": Route(write_content),
        f"{_MODEL}:streamGenerateContent": Route(None, write_content_chunks),
        f"{_MODEL}:countTokens": Route(lambda call, answer: {"totalTokens": answer.input_tokens}),
        f"{_MODEL}:(?:batchEmbedContents|embedContent)": Route(write_embeddings),
        f"{_MODEL}:predict": Route(write_predictions),
        "/interactions": Route(write_interaction, write_interaction_events, SSE_DONE),
    },
    error=lambda message, status: {
        "error": {"code": status, "message": message, "status": _STATUSES.get(status, "UNAVAILABLE")}
    },
    find_schema=_find_schema,
)
