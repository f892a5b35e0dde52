"""OpenRouter's shapes, below `/api/v1`: OpenAI's, with what a call cost, and errors with a number for a code."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Dialect, Route

COST = 0.0042  # USD, of every call


def write_chat(call: Call, answer: Answer) -> Body:
    """Return OpenAI's chat completion with its cost."""
    return _add_cost(openai_wire.write_chat(call, answer))


def write_chat_chunks(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield OpenAI's chunks; the last has usage and cost even if the request does not ask for them."""
    for chunk in openai_wire.write_chat_chunks(call, answer, has_usage=True):
        yield _add_cost({name: value for name, value in chunk.items() if value is not None})


def write_response(call: Call, answer: Answer) -> Body:
    """Return OpenAI's response with its cost."""
    return _complete_response(openai_wire.write_response(call, answer))


def write_response_events(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield OpenAI's events with the cost in each response that is counted."""
    for event in openai_wire.write_response_events(call, answer):
        yield {**event, "response": _complete_response(event["response"])} if "response" in event else event


def write_embeddings(call: Call, answer: Answer) -> Body:
    """Return OpenAI's embeddings with an id and their cost."""
    return _add_cost({"id": f"gen-emb-{answer.id}", **openai_wire.write_embeddings(call, answer)})


def _complete_response(response: Body) -> Body:
    unset = {"completed_at": None, "frequency_penalty": None, "presence_penalty": None}
    return _add_cost({**unset, **response, "tools": []})


def _add_cost(answer: Body) -> Body:
    usage = answer.get("usage")
    return {**answer, "usage": {**usage, "cost": COST, "is_byok": False}} if usage else answer


DIALECT = Dialect(
    base=r"^(?=/api/v1/).*",
    routes={
        openai_wire.CHAT: Route(write_chat, write_chat_chunks, SSE_DONE),
        openai_wire.RESPONSES: Route(write_response, write_response_events, SSE_DONE),
        openai_wire.EMBEDDINGS: Route(write_embeddings),
        "": None,
    },
    error=lambda message, status: {"error": {"code": status, "message": message}},
)
