"""Writer's chat, which is OpenAI's under another path, and its completions. Paths: `/writer/…`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.wire import Reply, bound


def chat(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    return _respelt(openai_wire.chat(body, model, answer))


def chat_chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    return (_respelt(chunk) for chunk in openai_wire.chat_chunks(body, model, answer))


def _respelt(body: dict[str, Any]) -> dict[str, Any]:
    """The details of the prompt's tokens have a name of their own."""
    if not body.get("usage"):
        return body
    usage = dict(body["usage"])
    return {**body, "usage": {**usage, "prompt_token_details": usage.pop("prompt_tokens_details")}}


def _completion(model: str, answer: Answer) -> dict[str, Any]:
    return {"choices": [{"text": answer.text}], "model": model}


def _pieces(answer: Answer) -> Iterator[dict[str, Any]]:
    return ({"value": piece} for piece in openai_wire.pieces(answer.text, answer.chunks))


def _speaks(path: str) -> bool:
    return path.startswith("/writer/") and path.partition("?")[0].endswith(("/v1/chat", "/v1/completions"))


def _reply(call: Call, answer: Answer) -> Reply | None:
    if call.method != "POST":
        return None
    said, streams = bound(call.body, answer), call.body.get("stream")
    if call.path.endswith("/v1/chat"):
        events = (lambda: chat_chunks(call.body, call.model, said)) if streams else None
        return Reply(lambda: chat(call.body, call.model, said), events, b"data: [DONE]\n\n")
    return Reply(lambda: _completion(call.model, said), (lambda: _pieces(said)) if streams else None)


DIALECT = openai_wire.DIALECT._replace(speaks=_speaks, reply=_reply)
