"""Which dialect a path is spoken in: a request and its answer become a reply, whole or as a stream of events."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from fake_provider import anthropic_wire, openai_wire, schema
from fake_provider.behaviour import Answer, Call


class Reply(NamedTuple):
    """What goes back. whole: the JSON body of a plain answer. events: those of a stream, then the bytes of `end`."""

    whole: Callable[[], dict[str, Any]]
    events: Callable[[], Iterator[dict[str, Any]]] | None = None
    end: bytes = b""


def asked_model(path: str, body: dict[str, Any]) -> str:
    """The model that a request names, in its body or in its path; on an Azure path the deployment."""
    if "/deployments/" in path:
        return path.split("/deployments/")[1].split("/")[0]
    if cloud := _CLOUDS.search(path):
        return unquote(cloud[1])
    return str(body.get("model", ""))


def reply(call: Call, answer: Answer) -> Reply | None:
    """What the request comes to; None where its path is not spoken here."""
    path, _, query = call.path.partition("?")
    if "/deployments/" in path and "api-version=" not in query:
        return None
    spoken = next((make for end, make in _ROUTES.items() if path.endswith(end)), None)
    return spoken(call.body, call.model, _bound(call.body, answer)) if spoken else None


def error(path: str, message: str, status: int) -> dict[str, Any]:
    """The body of an error in the dialect of the path."""
    kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    inner: dict[str, Any] = {"type": kind, "message": message}
    if is_anthropic(path):
        return {"type": "error", "error": inner, "request_id": "req_fake"}
    return {"error": {**inner, "param": None, "code": None}}


def is_anthropic(path: str) -> bool:
    return "/messages" in path


_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


def _bound(body: dict[str, Any], answer: Answer) -> Answer:
    """An answer that keeps to the schema that the request binds it to."""
    wanted = schema.wanted(body)
    if wanted is None or answer.tool_calls or schema.is_json(answer.text):
        return answer
    return dataclasses.replace(answer, text=json.dumps(schema.example(wanted)))


def _chat(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(
        lambda: openai_wire.chat(body, model, answer),
        lambda: openai_wire.chat_chunks(body, model, answer),
        b"data: [DONE]\n\n",
    )


def _responses(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(
        lambda: openai_wire.response(body, model, answer), lambda: openai_wire.response_events(body, model, answer)
    )


def _messages(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(lambda: anthropic_wire.message(model, answer), lambda: anthropic_wire.events(model, answer))


def _embeddings(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(lambda: openai_wire.embeddings(body, model))


def _count_tokens(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(lambda: {"input_tokens": answer.input_tokens})


_ROUTES = {
    "/chat/completions": _chat,
    "/responses": _responses,
    "/embeddings": _embeddings,
    "/messages": _messages,
    "/messages/count_tokens": _count_tokens,
    ":rawPredict": _messages,
    ":streamRawPredict": _messages,
    "/invoke": _messages,
}
_CLOUDS = re.compile(r"/models?/([^/]+)(?::rawPredict|:streamRawPredict|/invoke)$")  # Vertex, Bedrock (plain only)
