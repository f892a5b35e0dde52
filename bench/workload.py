"""The calls that are timed: small, typical and streamed, answered inside the process by the client's own transport.

A local server would add the noise of a second process and of sockets, which is many times what is measured. Here the
whole client runs (options, request, response, models), only the network is missing.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple

CHUNKS = 50
WORDS = "The parcel left our warehouse on Monday and the carrier scanned it twice since then, so it is on its way. "


class Shape(NamedTuple):
    """One kind of call. arguments: number of the call to its keyword arguments. reply: the response's body."""

    name: str
    arguments: Callable[[int], dict[str, Any]]
    reply: bytes
    content_type: str = "application/json"


class Workload(NamedTuple):
    """A client and its calls. create: client object to the method that is called."""

    module: str
    classes: tuple[str, str]
    create: Callable[[Any], Callable[..., Any]]
    shapes: tuple[Shape, ...]

    @property
    def kinds(self) -> dict[str, tuple[str, str]]:
        """Row to shape and kind of client."""
        return {f"{shape.name} {kind}": (shape.name, kind) for shape in self.shapes for kind in ("sync", "async")}

    def sync_call(self, shape: str) -> Callable[[int], None]:
        """Return a function that makes one call and reads the whole answer."""
        http, found = _http(self), self._shape(shape)
        transport = http.MockTransport(_answering(http, found))
        create = self.create(_api(self, 0, http.Client(transport=transport)))

        def call(number: int) -> None:
            result = create(**found.arguments(number))
            if isinstance(result, Iterator):
                for _ in result:
                    pass

        return call

    def async_call(self, shape: str) -> Callable[[int], Awaitable[None]]:
        """Return an async version of `sync_call`; call this inside the event loop that uses it."""
        http, found = _http(self), self._shape(shape)
        transport = http.MockTransport(_answering(http, found))
        create = self.create(_api(self, 1, http.AsyncClient(transport=transport)))

        async def call(number: int) -> None:
            result = await create(**found.arguments(number))
            if isinstance(result, AsyncIterator):
                async for _ in result:
                    pass

        return call

    def _shape(self, name: str) -> Shape:
        return next(shape for shape in self.shapes if shape.name == name)


def _http(workload: Workload) -> Any:
    """Return the HTTP library that this version of the client is built on."""
    base = importlib.import_module(f"{workload.module}._base_client")
    return getattr(base, "httpx2", None) or base.httpx


def _api(workload: Workload, kind: int, http_client: Any) -> Any:
    factory = getattr(importlib.import_module(workload.module), workload.classes[kind])
    return factory(api_key="none", base_url="http://llm.example/v1", http_client=http_client, max_retries=0)


def _answering(http: Any, shape: Shape) -> Callable[[Any], Any]:
    headers = {"content-type": shape.content_type}
    return lambda request: http.Response(200, headers=headers, content=shape.reply)


def _events(events: Iterable[dict[str, Any]], named: bool = False) -> bytes:
    lines = ((f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events)
    return "".join(lines).encode()


# The turns so far, about 400 characters each; the last one is new on every call.
_TURNS = [{"role": ("user", "assistant")[n % 2], "content": f"({n}) " + WORDS * 4} for n in range(8)]


def _schema(n: int) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "description": "The number on the invoice, eight digits"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100},
            "channel": {"type": "string", "enum": ["mail", "phone", "chat", f"desk-{n}"]},
        },
        "required": ["order_id"],
        "additionalProperties": False,
    }


TOOLS = [(f"lookup_{n}", f"Look up record {n} of an order in the shop's database.", _schema(n)) for n in range(5)]


# -- openai: chat completions

_USAGE = {
    "prompt_tokens": 812,
    "completion_tokens": 64,
    "total_tokens": 876,
    "prompt_tokens_details": {"cached_tokens": 512},
    "completion_tokens_details": {"reasoning_tokens": 16},
}
_CHAT = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4.1-mini-2025-04-14", "system_fingerprint": "fp_1"}


def _chat_reply() -> bytes:
    message = {"role": "assistant", "content": WORDS}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps({**_CHAT, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _chat_stream() -> bytes:
    common = {**_CHAT, "object": "chat.completion.chunk"}
    choices = [{"index": 0, "delta": {"content": "word "}, "finish_reason": None} for _ in range(CHUNKS - 2)]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks = [{**common, "choices": [choice]} for choice in choices]
    return _events([*chunks, {**common, "choices": [], "usage": _USAGE}]) + b"data: [DONE]\n\n"


_OPENAI_TURNS = [{"role": "system", "content": "You help customers of a shop. " + WORDS * 3}, *_TURNS]
_OPENAI_TOOLS = [
    {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
    for name, description, schema in TOOLS
]


def _openai_small(number: int) -> dict[str, Any]:
    return {
        "model": "gpt-4.1-mini",
        "messages": [{"role": "user", "content": f"Where is order {number}?"}],
        "temperature": 0.2,
    }


def _openai_typical(number: int) -> dict[str, Any]:
    return {
        "model": "gpt-4.1-mini",
        "messages": [*_OPENAI_TURNS, {"role": "user", "content": f"Where is order {number}? " + WORDS * 2}],
        "tools": _OPENAI_TOOLS,
        "temperature": 0.2,
        "max_tokens": 400,
    }


def _openai_stream(number: int) -> dict[str, Any]:
    return {**_openai_small(number), "stream": True, "stream_options": {"include_usage": True}}


# -- anthropic: messages

_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-bench-1-20260101",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 300,
        "output_tokens": 64,
        "cache_read_input_tokens": 512,
        "cache_creation_input_tokens": 0,
    },
}


def _message_reply() -> bytes:
    return json.dumps({**_MESSAGE, "content": [{"type": "text", "text": WORDS}]}).encode()


def _message_stream() -> bytes:
    text = {"type": "text_delta", "text": "word "}
    deltas = [{"type": "content_block_delta", "index": 0, "delta": text} for _ in range(CHUNKS - 5)]
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return _events(
        [
            {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 64}},
            {"type": "message_stop"},
        ],
        named=True,
    )


_ANTHROPIC_TOOLS = [
    {"name": name, "description": description, "input_schema": schema} for name, description, schema in TOOLS
]


def _anthropic_small(number: int) -> dict[str, Any]:
    return {
        "model": "claude-bench-1",
        "max_tokens": 400,
        "messages": [{"role": "user", "content": f"Where is order {number}?"}],
        "stop_sequences": ["END"],
    }


def _anthropic_typical(number: int) -> dict[str, Any]:
    return {
        **_anthropic_small(number),
        "system": "You help customers of a shop. " + WORDS * 3,
        "messages": [*_TURNS, {"role": "user", "content": f"Where is order {number}? " + WORDS * 2}],
        "tools": _ANTHROPIC_TOOLS,
    }


def _anthropic_stream(number: int) -> dict[str, Any]:
    return {**_anthropic_small(number), "stream": True}


STREAM = "text/event-stream"
WORKLOADS = {
    "openai": Workload(
        "openai",
        ("OpenAI", "AsyncOpenAI"),
        lambda api: api.chat.completions.create,
        (
            Shape("small", _openai_small, _chat_reply()),
            Shape("typical", _openai_typical, _chat_reply()),
            Shape("stream", _openai_stream, _chat_stream(), STREAM),
        ),
    ),
    "anthropic": Workload(
        "anthropic",
        ("Anthropic", "AsyncAnthropic"),
        lambda api: api.messages.create,
        (
            Shape("small", _anthropic_small, _message_reply()),
            Shape("typical", _anthropic_typical, _message_reply()),
            Shape("stream", _anthropic_stream, _message_stream(), STREAM),
        ),
    ),
}
