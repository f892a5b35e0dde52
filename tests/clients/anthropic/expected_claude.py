"""Whole spans of one call to the fake provider, as ours and as Anthropic's own."""

from __future__ import annotations

import inspect
from typing import Any

import anthropic

from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import name_sources

ASK: Any = [{"role": "user", "content": "hi"}]
CALL: Any = {"model": "claude-x", "max_tokens": 9, "messages": ASK}

# The option of the SDK's own tracing; before 1.14.0 it had neither.
TRACES = "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters
UNTRACED: Any = {"open_telemetry": False} if TRACES else {}

SENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.max_tokens": 9,
    "gen_ai.request.model": "claude-x",
    "otel_agentops.param.max_tokens.source": "explicit",
    **name_sources(("temperature", "top_p", "top_k", "stop_sequences")),
    "otel_agentops.params.hash": identity({"max_tokens": 9}),
    "otel_agentops.prompt.source": "none",
    "server.address": "127.0.0.1",
}
ANSWERED = {
    "gen_ai.response.finish_reasons": ["end_turn"],
    "gen_ai.response.id": "msg_fake",
    "gen_ai.response.model": "claude-x-20260301",
    "gen_ai.usage.cache_creation.input_tokens": 0,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.model.resolution": "resolved",
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
NATIVE = {
    "anthropic.message.stop_reason": "end_turn",
    "anthropic.request.id": "req_fake",
    "anthropic.response.service_tier": "standard",
    "gen_ai.usage.cache_write.input_tokens": 0,  # what the convention called cache_creation before
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "http.route": "/v1/messages",
    "url.path": "/v1/messages",
    "url.scheme": "http",
}


def span(
    provider: FakeProvider,
    attributes: dict[str, Any],
    *,
    name: str = "chat claude-x",
    status: str = "UNSET",
    parent: str | None = None,
) -> dict[str, Any]:
    """A span with these attributes and the port of the provider; None takes one out."""
    port = int(provider.url.rpartition(":")[2])
    kept = {key: value for key, value in {**attributes, "server.port": port}.items() if value is not None}
    return {"name": name, "kind": "CLIENT", "status": status, "parent": parent, "attributes": kept}


def whole(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    """Our span of `CALL`. changes: attributes with `__` for a dot, e.g. gen_ai__response__id."""
    return span(provider, {**SENT, **ANSWERED, **_dotted(changes)})


def streamed(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    """Our span of `CALL`, streamed to its end."""
    return span(provider, {**SENT, **ANSWERED, **STREAMED, **_dotted(changes)})


def failed(provider: FakeProvider, error: str, **changes: Any) -> dict[str, Any]:
    """Our span of a `CALL` that was never answered."""
    return span(provider, {**SENT, "error.type": error, **_dotted(changes)}, status="ERROR")


def native(provider: FakeProvider, *, status: str = "OK", **changes: Any) -> dict[str, Any]:
    """Anthropic's own span of `CALL`, with what we add."""
    url = {"url.full": f"{provider.url}/v1/messages"}
    found = {**SENT, **ANSWERED, **NATIVE, **url, **_dotted(changes)}
    return span(provider, found, name="anthropic.messages.create", status=status)


def measured(provider: FakeProvider) -> dict[str, Any]:
    """The client metrics of one whole answer."""
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-x",
        "gen_ai.response.model": "claude-x-20260301",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }
    return {
        "gen_ai.client.operation.duration": [{"attributes": labels, "count": 1, "sum": SECONDS}],
        "gen_ai.client.token.usage": [
            {"attributes": {**labels, "gen_ai.token.type": "input"}, "count": 1, "sum": 11},
            {"attributes": {**labels, "gen_ai.token.type": "output"}, "count": 1, "sum": 5},
        ],
    }


def _dotted(changes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in changes.items()}
