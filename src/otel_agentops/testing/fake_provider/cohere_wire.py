"""Cohere's shapes: chat, embeddings and reranking in both versions of the API; v1 streams JSON lines, v2 events."""

from __future__ import annotations

import json
from collections.abc import Iterator

from otel_agentops.testing.fake_provider.behaviour import Answer, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.openai_wire import write_tool_call
from otel_agentops.testing.fake_provider.wire import Dialect, Route, format_sse

TEMPLATE = 64  # tokens that the service adds to a prompt and does not charge

# -- v2


def write_chat(call: Call, answer: Answer) -> Json:
    """Return an answer of v2."""
    message: dict[str, object] = {"role": "assistant"}
    if answer.tool_calls:
        message["tool_plan"] = ""
        message["tool_calls"] = [write_tool_call(tool, tool.arguments) for tool in answer.tool_calls]
    if answer.text or not answer.tool_calls:
        message["content"] = [{"type": "text", "text": answer.text}]
    return {"id": answer.id, "finish_reason": _find_reason(answer), "message": message, "usage": _write_usage(answer)}


def write_chat_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of an answer of v2."""
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": answer.id, "delta": {"message": empty}}
    yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    for text in split_text(answer.text, answer.chunks):
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}
    yield {"type": "content-end", "index": 0}
    for index, tool_call in enumerate(answer.tool_calls):
        start = {"tool_calls": write_tool_call(tool_call, "")}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": start}}
        for part in split_text(tool_call.arguments, 2):
            delta = {"tool_calls": {"function": {"arguments": part}}}
            yield {"type": "tool-call-delta", "index": index, "delta": {"message": delta}}
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": _find_reason(answer), "usage": _write_usage(answer)}}


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return embeddings; v1 has them by the type of their numbers only if the request names types."""
    body = call.body
    texts = body.get("texts") or [str(content) for content in body.get("inputs") or body.get("images") or ()]
    vectors = [embed_text(text, body.get("output_dimension") or 8) for text in texts]
    billed = {"input_tokens": sum(len(text.split()) for text in texts)}
    head = {"id": answer.id, "texts": body.get("texts"), "meta": _write_meta({"billed_units": billed})}
    if "/v2/" in call.path or body.get("embedding_types"):
        return {**head, "response_type": "embeddings_by_type", "embeddings": {"float": vectors}}
    return {**head, "response_type": "embeddings_floats", "embeddings": vectors}


def write_ranking(call: Call, answer: Answer) -> Json:
    """Return the documents that share most words with the query first."""
    words = set(str(call.body.get("query")).lower().split())
    documents = [str(document).lower().split() for document in call.body.get("documents") or ()]
    scores = [len(words & set(document)) / max(1, len(words)) for document in documents]
    ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[: call.body.get("top_n") or len(scores)]
    results = [{"index": index, "relevance_score": score} for index, score in ranked]
    return {"id": answer.id, "results": results, "meta": _write_meta({"billed_units": {"search_units": 1}})}


# -- v1


def write_old_chat(call: Call, answer: Answer) -> Json:
    """Return an answer of v1, which has no finish reason of its own for tool calls."""
    calls = [{"name": tool.name, "parameters": json.loads(tool.arguments)} for tool in answer.tool_calls]
    return {
        "response_id": answer.id, "generation_id": f"gen_{answer.id}", "text": answer.text,
        "finish_reason": answer.finish or "COMPLETE", "tool_calls": calls or None,
        "meta": _write_meta(_write_usage(answer)),
    }  # fmt: skip


def write_old_chat_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of an answer of v1."""
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": f"gen_{answer.id}"}
    for text in split_text(answer.text, answer.chunks):
        yield {"is_finished": False, "event_type": "text-generation", "text": text}
    whole = write_old_chat(call, answer)
    end = {"event_type": "stream-end", "finish_reason": whole["finish_reason"], "response": whole}
    yield {"is_finished": True, **end}


# -- both


def _find_reason(answer: Answer) -> str:
    return answer.finish or ("TOOL_CALL" if answer.tool_calls else "COMPLETE")


def _write_usage(answer: Answer) -> Json:
    billed = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    tokens = {"input_tokens": answer.input_tokens + TEMPLATE, "output_tokens": answer.output_tokens}
    return {"billed_units": billed, "tokens": tokens, "cached_tokens": answer.cached_tokens}


def _write_meta(usage: Json) -> Json:
    return {"api_version": {"version": "2"}, **usage}


DIALECT = Dialect(
    routes={
        "/v2/chat": Route(write_chat, write_chat_events),
        "/v1/chat": Route(write_old_chat, write_old_chat_events),
        "/v[12]/embed": Route(write_embeddings),
        "/v[12]/rerank": Route(write_ranking),
    },
    error=lambda message, status: {"id": "fake", "message": message},
    frame=lambda event: format_sse(event) if "type" in event else json.dumps(event).encode() + b"\n",
    failure=lambda message: format_sse({"type": "message-end", "delta": {"error": message, "finish_reason": "ERROR"}}),
)
