"""OpenRouter's shapes, below `/api/v1`: OpenAI's, with what a call cost, and errors with a number for a code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, asked_in_body, bound, sse

PREFIX = "/api/v1/"
COST = 0.0042  # USD, of every call
_COUNTED = {"stream_options": {"include_usage": True}}  # as if asked for: a stream always ends with its usage


def chat(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    return _priced(openai_wire.chat(body, model, answer))


def chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    for chunk in openai_wire.chat_chunks({**body, **_COUNTED}, model, answer):
        yield _priced({name: value for name, value in chunk.items() if value is not None})


def response(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    return _whole(openai_wire.response(body, model, answer))


def response_events(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    for event in openai_wire.response_events(body, model, answer):
        yield {**event, "response": _whole(event["response"])} if "response" in event else event


def embeddings(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    return _priced({"id": f"gen-emb-{answer.id}", **openai_wire.embeddings(body, model)})


def _whole(response: dict[str, Any]) -> dict[str, Any]:
    absent = {"completed_at": None, "frequency_penalty": None, "presence_penalty": None}
    return _priced({**absent, **response, "tools": []})


def _priced(answer: dict[str, Any]) -> dict[str, Any]:
    usage = answer.get("usage")
    return {**answer, "usage": {**usage, "cost": COST, "is_byok": False}} if usage else answer


def _error(message: str, status: int) -> dict[str, Any]:
    return {"error": {"code": status, "message": message}}


def _reply(call: Call, answer: Answer) -> Reply | None:
    spoken = next((make for end, make in _ROUTES.items() if call.path.partition("?")[0].endswith(end)), None)
    if call.method != "POST" or spoken is None:
        return None
    whole, events = spoken
    body, said = call.body, bound(call.body, answer)
    streamed = (lambda: events(body, call.model, said)) if body.get("stream") and events else None
    return Reply(lambda: whole(body, call.model, said), streamed, b"data: [DONE]\n\n")


_ROUTES: dict[str, Any] = {
    "/chat/completions": (chat, chunks),
    "/responses": (response, response_events),
    "/embeddings": (embeddings, None),
}
DIALECT = Dialect(
    speaks=lambda path: path.startswith(PREFIX),
    reply=_reply,
    error=_error,
    model=asked_in_body,
    failure=lambda message: sse(_error(message, 500)),
)
