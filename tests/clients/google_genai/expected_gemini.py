"""Whole spans of one call to the fake provider; a test says what its own call adds, changes or has not."""

from __future__ import annotations

from typing import Any

from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import name_sources

NO_AFC: Any = {"automatic_function_calling": {"disable": True}}
SENT = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.request.model": "gemini-x",
    **name_sources(("temperature", "topP", "topK", "frequencyPenalty", "presencePenalty", "seed", "stopSequences")),
    "otel_agentops.prompt.source": "none",
    "server.address": "127.0.0.1",
}
ANSWERED = {
    "gen_ai.response.finish_reasons": ["STOP"],
    "gen_ai.response.id": "fake",
    "gen_ai.response.model": "gemini-x-001",
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 2,
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.model.resolution": "resolved",
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
EMBEDDED = {
    **{key: value for key, value in SENT.items() if value != "unset"},
    "gen_ai.operation.name": "embeddings",
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    "otel_agentops.model.resolution": "unreported",
}


def span(
    provider: FakeProvider, attributes: dict[str, Any], status: str = "UNSET", parent: str | None = None
) -> dict[str, Any]:
    """A span with these attributes and the port of the provider; None takes one out."""
    port = int(provider.url.rpartition(":")[2])
    kept = {key: value for key, value in {**attributes, "server.port": port}.items() if value is not None}
    name = f"{kept['gen_ai.operation.name']} {kept['gen_ai.request.model']}"
    return {"name": name, "kind": "CLIENT", "status": status, "parent": parent, "attributes": kept}


def whole(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    """The span of a plain call. changes: attributes with `__` for a dot, e.g. gen_ai__response__id."""
    return span(provider, {**SENT, **ANSWERED, **dotted(changes)})


def streamed(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    """The span of a stream that was read to its end."""
    return span(provider, {**SENT, **ANSWERED, **STREAMED, **dotted(changes)})


def failed(provider: FakeProvider, error: str, **changes: Any) -> dict[str, Any]:
    """The span of a call that was never answered."""
    return span(provider, {**SENT, "error.type": error, **dotted(changes)}, status="ERROR")


def embedded(provider: FakeProvider, **changes: Any) -> dict[str, Any]:
    """The span of embeddings."""
    return span(provider, {**EMBEDDED, **dotted(changes)})


def dotted(changes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in changes.items()}


def parameters(**given: Any) -> dict[str, Any]:
    """What explicit parameters add, as `changes`."""
    from otel_agentops._hashing import identity

    sources = {f"otel_agentops__param__{name}__source": "explicit" for name in given}
    return {"otel_agentops__params__hash": identity(given), **sources}
