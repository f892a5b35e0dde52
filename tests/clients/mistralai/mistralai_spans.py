"""Whole spans of one call to the fake provider, as ours and as Mistral's own."""

from __future__ import annotations

from typing import Any

from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import name_sources

ASK: Any = [{"role": "user", "content": "hi"}]
CALL: Any = {"model": "m-x", "messages": ASK}

SENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "mistral_ai",
    "gen_ai.request.model": "m-x",
    **name_sources(("temperature", "top_p", "frequency_penalty", "presence_penalty", "random_seed", "stop", "top_k")),
    "otel_agentops.prompt.source": "none",
    "server.address": "127.0.0.1",
}
ANSWERED = {
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.id": "chatcmpl-fake",
    "gen_ai.response.model": "m-x-2026-03-01",
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.model.resolution": "resolved",
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}


def span(
    provider: FakeProvider, attributes: dict[str, Any], *, name: str = "chat m-x", status: str = "UNSET"
) -> dict[str, Any]:
    """A span with these attributes and the port of the provider; None takes one out."""
    port = {"server.port": int(provider.url.rpartition(":")[2])}
    kept = {key: value for key, value in sorted({**attributes, **port}.items()) if value is not None}
    return {"name": name, "kind": "CLIENT", "status": status, "parent": None, "attributes": kept}


def whole(provider: FakeProvider, *, name: str = "chat m-x", **changes: Any) -> dict[str, Any]:
    """Our span of `CALL`. changes: attributes with `__` for a dot."""
    return span(provider, {**SENT, **ANSWERED, **dotted(changes)}, name=name)


def streamed(provider: FakeProvider, *, name: str = "chat m-x", **changes: Any) -> dict[str, Any]:
    """Our span of `CALL`, streamed to its end."""
    return span(provider, {**SENT, **ANSWERED, **STREAMED, **dotted(changes)}, name=name)


def dotted(changes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in changes.items()}
