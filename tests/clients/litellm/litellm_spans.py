"""The spans that LiteLLM's calls are expected to make, whole."""

from __future__ import annotations

from typing import Any

from otel_agentops._hashing import identity
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import Subject, name_sources

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
USED = {
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
}


class Same:
    """Equals every text: an id that LiteLLM makes up."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(other) is str and bool(other)


ID: Any = Same()


def attempts(*statuses: int) -> dict[str, Any]:
    return {"otel_agentops.attempt.count": len(statuses), "otel_agentops.attempt.statuses": list(statuses)}


def asked(model: str, name: str, provider: FakeProvider | None, operation: str = "chat") -> dict[str, Any]:
    """What is known before an answer. provider: None where nothing is sent."""
    where = {"server.address": "127.0.0.1", "server.port": int(provider.url.rpartition(":")[2])} if provider else {}
    told = {"otel_agentops.prompt.source": "none"}
    if operation == "chat":
        told = {"otel_agentops.prompt.source": "instructions", "otel_agentops.prompt.hash": identity(["Be brief."])}
    if operation in ("chat", "text_completion"):
        told |= name_sources(Subject.sampling)
    names = {"gen_ai.operation.name": operation, "gen_ai.provider.name": name, "gen_ai.request.model": model}
    return {**names, **told, **where}


def with_temperature(value: float) -> dict[str, Any]:
    return {
        "gen_ai.request.temperature": value,
        "otel_agentops.params.hash": identity({"temperature": value}),
        "otel_agentops.param.temperature.source": "explicit",
    }


def answered(model: str | None, reason: str | None = "stop") -> dict[str, Any]:
    """What an answer adds. model: that answered, None where nobody says."""
    found: dict[str, Any] = {"gen_ai.response.id": ID, "otel_agentops.model.resolution": "unreported"}
    if reason is not None:
        found["gen_ai.response.finish_reasons"] = [reason]
    if model is not None:
        found |= {"gen_ai.response.model": model, "otel_agentops.model.resolution": "resolved"}
    return found


OPENAI = {**answered("gpt-x-2026-03-01"), **USED, "gen_ai.usage.reasoning.output_tokens": 2}
CLAUDE = {**answered("claude-x-20260301"), **USED, "gen_ai.usage.cache_creation.input_tokens": 0}


def span(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A span of ours from the parts of its attributes."""
    attributes: dict[str, Any] = {}
    for part in parts:
        attributes |= part
    attributes |= {name.replace("__", "."): value for name, value in more.items()}
    return {
        "name": f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}",
        "kind": "CLIENT",
        "status": "ERROR" if "error.type" in attributes else "UNSET",
        "parent": None,
        "attributes": dict(sorted(attributes.items())),
    }
