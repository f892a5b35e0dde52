"""Groq's additions to OpenAI's chat: `x_groq`, with the usage in the last chunk of every stream. Paths: `/groq/…`."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Route


def write_chat(call: Call, answer: Answer) -> Body:
    """Return OpenAI's chat completion with Groq's own id and seed."""
    return {**openai_wire.write_chat(call, answer), "x_groq": {"id": f"req_{answer.id}", "seed": 7}}


def write_chat_chunks(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield OpenAI's chunks; the first has Groq's id, and the last that has a choice has the usage."""
    for number, chunk in enumerate(openai_wire.write_chat_chunks(call, answer)):
        extra: Body = {"id": f"req_{answer.id}"} if number == 0 else {}
        if any(choice["finish_reason"] for choice in chunk["choices"]):
            extra |= {"id": f"req_{answer.id}", "seed": 7, "usage": openai_wire.write_usage(answer)}
        yield {**chunk, **({"x_groq": extra} if extra else {})}


DIALECT = openai_wire.DIALECT._replace(
    base=r"^(?=/groq/).*",
    routes={**openai_wire.DIALECT.routes, openai_wire.CHAT: Route(write_chat, write_chat_chunks, SSE_DONE)},
)
