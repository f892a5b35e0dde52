"""Cohere's shapes: chat, embeddings and reranking in both versions of the API; v1 streams JSON lines, v2 events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall
from otel_agentops.testing.fake_provider.openai_wire import direction, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, bound, sse

TEMPLATE = 64  # tokens that the service adds to a prompt and does not charge

# -- v2


def chat(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    if answer.tool_calls:
        message |= {"tool_plan": "", "tool_calls": [_tool_call(call, call.arguments) for call in answer.tool_calls]}
    if answer.text or not answer.tool_calls:
        message["content"] = [{"type": "text", "text": answer.text}]
    return {"id": answer.id, "finish_reason": _finish(answer), "message": message, "usage": _usage(answer)}


def chat_events(answer: Answer) -> Iterator[dict[str, Any]]:
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": answer.id, "delta": {"message": begun}}
    yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    for text in pieces(answer.text, answer.chunks):
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}
    yield {"type": "content-end", "index": 0}
    for index, call in enumerate(answer.tool_calls):
        named = {"tool_calls": _tool_call(call, "")}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": named}}
        for part in pieces(call.arguments, 2):
            delta = {"tool_calls": {"function": {"arguments": part}}}
            yield {"type": "tool-call-delta", "index": index, "delta": {"message": delta}}
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": _finish(answer), "usage": _usage(answer)}}


def embeddings(body: dict[str, Any], answer: Answer, *, typed: bool) -> dict[str, Any]:
    """typed: by the type of their numbers, which v1 does only where types are asked for."""
    texts = body.get("texts") or [str(each) for each in body.get("inputs") or body.get("images") or ()]
    vectors = [direction(text, body.get("output_dimension") or 8) for text in texts]
    meta = _meta({"input_tokens": sum(len(text.split()) for text in texts)})
    shared = {"id": answer.id, "texts": body.get("texts"), "meta": meta}
    if typed or body.get("embedding_types"):
        return {**shared, "response_type": "embeddings_by_type", "embeddings": {"float": vectors}}
    return {**shared, "response_type": "embeddings_floats", "embeddings": vectors}


def rerank(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """The documents that share most words with the query first."""
    words = set(str(body.get("query")).lower().split())
    documents = [str(document).lower().split() for document in body.get("documents") or ()]
    scores = [len(words & set(document)) / max(1, len(words)) for document in documents]
    ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])[: body.get("top_n") or len(scores)]
    results = [{"index": index, "relevance_score": score} for index, score in ranked]
    return {"id": answer.id, "results": results, "meta": _meta({"search_units": 1})}


# -- v1


def old_chat(answer: Answer) -> dict[str, Any]:
    calls = [{"name": call.name, "parameters": json.loads(call.arguments)} for call in answer.tool_calls]
    return {
        "response_id": answer.id, "generation_id": f"gen_{answer.id}", "text": answer.text,
        "finish_reason": _old_finish(answer), "tool_calls": calls or None, "meta": _meta(_billed(answer), answer),
    }  # fmt: skip


def old_chat_events(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": f"gen_{answer.id}"}
    for text in pieces(answer.text, answer.chunks):
        yield {"is_finished": False, "event_type": "text-generation", "text": text}
    end = {"event_type": "stream-end", "finish_reason": _old_finish(answer), "response": old_chat(answer)}
    yield {"is_finished": True, **end}


# -- what they share


def _tool_call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(answer: Answer) -> str:
    return answer.finish or ("TOOL_CALL" if answer.tool_calls else "COMPLETE")


def _old_finish(answer: Answer) -> str:
    """v1 has no reason of its own for tools."""
    return answer.finish or "COMPLETE"


def _billed(answer: Answer) -> dict[str, int]:
    return {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}


def _usage(answer: Answer) -> dict[str, Any]:
    tokens = {"input_tokens": answer.input_tokens + TEMPLATE, "output_tokens": answer.output_tokens}
    return {"billed_units": _billed(answer), "tokens": tokens, "cached_tokens": answer.cached_tokens}


def _meta(billed: dict[str, int], answer: Answer | None = None) -> dict[str, Any]:
    counted = {"billed_units": billed} if answer is None else _usage(answer)
    return {"api_version": {"version": "2"}, **counted}


# -- the dialect


def _frame(event: dict[str, Any]) -> bytes:
    return sse(event) if "type" in event else json.dumps(event).encode() + b"\n"


def _failure(message: str) -> bytes:
    return sse({"type": "message-end", "delta": {"error": message, "finish_reason": "ERROR"}})


def _reply(call: Call, answer: Answer) -> Reply | None:
    if call.method != "POST":
        return None
    return _ROUTES[_route(call.path)](call.body, bound(call.body, answer))


def _chat(body: dict[str, Any], answer: Answer) -> Reply:
    return Reply(lambda: chat(answer), (lambda: chat_events(answer)) if body.get("stream") else None)


def _old_chat(body: dict[str, Any], answer: Answer) -> Reply:
    return Reply(lambda: old_chat(answer), (lambda: old_chat_events(answer)) if body.get("stream") else None)


def _embed(body: dict[str, Any], answer: Answer) -> Reply:
    return Reply(lambda: embeddings(body, answer, typed=True))


def _old_embed(body: dict[str, Any], answer: Answer) -> Reply:
    return Reply(lambda: embeddings(body, answer, typed=False))


def _rerank(body: dict[str, Any], answer: Answer) -> Reply:
    return Reply(lambda: rerank(body, answer))


_ROUTES = {
    "/v2/chat": _chat,
    "/v1/chat": _old_chat,
    "/v2/embed": _embed,
    "/v1/embed": _old_embed,
    "/v2/rerank": _rerank,
    "/v1/rerank": _rerank,
}


def _route(path: str) -> str:
    path = path.partition("?")[0]
    return next((route for route in _ROUTES if path.endswith(route)), "")


DIALECT = Dialect(
    speaks=lambda path: bool(_route(path)),
    reply=_reply,
    error=lambda message, status: {"id": "fake", "message": message},
    frame=_frame,
    failure=_failure,
)
