"""Whole spans of one call to the fake provider, for tests that say only what is different in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import name_sources

ASK: Any = [{"role": "user", "content": "hi"}]
CALL: Any = {"model": "command-x", "messages": ASK}
RANK: Any = {"model": "rank-x", "query": "a town", "documents": ["a lake", "a town", "a town hall"]}
COUNTED = {
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
PROMPT = {"otel_agentops.prompt.source": "instructions", "otel_agentops.prompt.hash": identity(["Be brief."])}


def span(
    provider: FakeProvider,
    operation: str,
    model: str,
    *changes: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    status: str = "UNSET",
    parent: str | None = None,
) -> dict[str, Any]:
    """A span of a call that was answered. changes: attributes beside or in the place of the usual; None for absent."""
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "cohere",
        "gen_ai.request.model": model,
        "gen_ai.response.id": "fake",
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "unreported",
        "otel_agentops.prompt.source": "none",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }
    if operation in ("chat", "text_completion"):
        attributes |= name_sources(
            ("temperature", "p", "k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences")
        )
    if params:
        attributes["otel_agentops.params.hash"] = identity(dict(params))
        attributes |= {f"otel_agentops.param.{name}.source": "explicit" for name in params}
    for each in changes:
        attributes.update(each)
    kept = {name: attributes[name] for name in sorted(attributes) if attributes[name] is not None}
    return {"name": f"{operation} {model}", "kind": "CLIENT", "status": status, "parent": parent, "attributes": kept}


def chat(provider: FakeProvider, *changes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Our span of `CALL`, or of the same in v1."""
    usual = {**COUNTED, "gen_ai.response.finish_reasons": ["COMPLETE"]}
    return span(provider, "chat", "command-x", usual, *changes, **more)
