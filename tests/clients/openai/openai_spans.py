"""The whole span of the simplest call of each endpoint; a test says what its own call adds, changes or has not.

The values are those of the fake provider: 11 input tokens, 4 of them cached, 5 output tokens, 2 of them thought.
"""

from __future__ import annotations

from typing import Any

import openai
import openai._base_client

from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import Subject, name_sources

httpx: Any = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx  # httpx2 since openai 3
BROKEN = (openai.APIError, httpx.HTTPError)  # a stream's connection that breaks; the latter before openai 3

SERVER = {"server.address": "127.0.0.1"}
ONCE = {"otel_agentops.attempt.count": 1, "otel_agentops.attempt.statuses": [200]}
RESOLVED = {
    "gen_ai.request.model": "gpt-x",
    "gen_ai.response.model": "gpt-x-2026-03-01",
    "otel_agentops.model.resolution": "resolved",
}
COUNTED = {
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 2,
}
CHAT = {
    **ONCE,
    **RESOLVED,
    **COUNTED,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.response.id": "chatcmpl-fake",
    "openai.api.type": "chat_completions",
    "openai.response.service_tier": "default",
    "openai.response.system_fingerprint": "fp_fake",
    **name_sources(Subject.sampling),
    "otel_agentops.prompt.source": "none",
}

ECHOED = {"otel_agentops.param.temperature.source": "echoed", "otel_agentops.param.top_p.source": "echoed"}
RESPONSE = {
    **{key: value for key, value in CHAT.items() if key != "openai.response.system_fingerprint" and value != "unset"},
    **ECHOED,
    "gen_ai.response.id": "resp_fake",
    "openai.api.type": "responses",
}
EMBEDDINGS = {
    **ONCE,
    **RESOLVED,
    "otel_agentops.param.encoding_format.source": "unknown",
    "gen_ai.operation.name": "embeddings",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.encoding_formats": ["base64"],
    "gen_ai.usage.input_tokens": 1,
    "otel_agentops.params.hash": identity({"encoding_format": "base64"}),
    "otel_agentops.prompt.source": "none",
}
STREAM = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}


def parameters(**values: Any) -> dict[str, Any]:
    """The identity of parameters that the application gave itself."""
    sources = {f"otel_agentops.param.{name}.source": "explicit" for name in values}
    return {"otel_agentops.params.hash": identity(values), **sources}


def span(
    provider: FakeProvider, *parts: dict[str, Any], without: tuple[str, ...] = (), **changed: Any
) -> dict[str, Any]:
    """A span as `Capture.spans` gives it. parts: attributes, later ones win; changed: name, kind, status, parent."""
    attributes: dict[str, Any] = {**SERVER, "server.port": int(provider.url.rpartition(":")[2])}
    for part in parts:
        attributes |= part
    kept = {key: attributes[key] for key in sorted(attributes) if key not in without}
    return {"name": "chat gpt-x", "kind": "CLIENT", "status": "UNSET", "parent": None, "attributes": kept, **changed}


def failed(error: BaseException) -> dict[str, Any]:
    """The attribute of the exception that the application saw."""
    return {"error.type": f"{type(error).__module__}.{type(error).__qualname__}"}


def tools(**material: dict[str, Any]) -> dict[str, Any]:
    """The identity of offered tools, from what each is made of beside its name."""
    hashes = {name: identity({"name": name, **parts}) for name, parts in material.items()}
    return {
        "otel_agentops.tools.hash": identity(sorted(hashes.values())),
        "otel_agentops.tools.versions": [f"{name}@{value}" for name, value in hashes.items()],
    }


def instructed(*texts: Any) -> dict[str, Any]:
    """The identity of a prompt that is known by its system and developer turns."""
    return {"otel_agentops.prompt.hash": identity(list(texts)), "otel_agentops.prompt.source": "instructions"}
