"""Groq's additions to OpenAI's chat: `x_groq`, with the usage in the last chunk of every stream. Paths: `/groq/…`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.wire import Reply


def chunks(plain: Iterator[dict[str, Any]], answer: Answer) -> Iterator[dict[str, Any]]:
    """Those of OpenAI, the first with an id and the last that has a choice with what was used."""
    for number, chunk in enumerate(plain):
        extra: dict[str, Any] = {"id": f"req_{answer.id}"} if number == 0 else {}
        if any(choice["finish_reason"] for choice in chunk["choices"]):
            extra |= {"id": f"req_{answer.id}", "seed": 7, "usage": openai_wire.chat_usage(answer)}
        yield {**chunk, **({"x_groq": extra} if extra else {})}


def _reply(call: Call, answer: Answer) -> Reply | None:
    reply = openai_wire.DIALECT.reply(call, answer)
    if reply is None or "/chat/" not in call.path:
        return reply
    whole, events = reply.whole, reply.events
    return Reply(
        lambda: {**whole(), "x_groq": {"id": f"req_{answer.id}", "seed": 7}},
        None if events is None else lambda: chunks(events(), answer),
        reply.end,
    )


DIALECT = openai_wire.DIALECT._replace(
    speaks=lambda path: path.startswith("/groq/") and openai_wire.DIALECT.speaks(path), reply=_reply
)
