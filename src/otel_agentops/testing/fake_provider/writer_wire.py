"""Writer's chat, which is OpenAI's under another path, and its completions. Paths: `/writer/…`."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import split_text
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Route


def write_chat(call: Call, answer: Answer) -> Body:
    """Return OpenAI's chat completion with Writer's name for the details of the prompt's tokens."""
    return _rename_details(openai_wire.write_chat(call, answer))


def write_chat_chunks(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield OpenAI's chunks with Writer's name for the details of the prompt's tokens."""
    return map(_rename_details, openai_wire.write_chat_chunks(call, answer))


def _rename_details(body: Body) -> Body:
    if not body.get("usage"):
        return body
    usage = dict(body["usage"])
    return {**body, "usage": {**usage, "prompt_token_details": usage.pop("prompt_tokens_details")}}


def write_completion(call: Call, answer: Answer) -> Json:
    """Return a completion, which has no counts."""
    return {"choices": [{"text": answer.text}], "model": call.model}


def write_completion_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the chunks of a completion."""
    return ({"value": part} for part in split_text(answer.text, answer.chunks))


DIALECT = openai_wire.DIALECT._replace(
    base=r"^(?=/writer/).*",
    routes={
        "/v1/chat": Route(write_chat, write_chat_chunks, SSE_DONE),
        "/v1/completions": Route(write_completion, write_completion_chunks),
    },
)
