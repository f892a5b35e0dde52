"""Whole spans of one chat with the fake provider, as ours and as the SDK's own."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from packaging.version import Version
from xai_sdk.chat import user

from otel_agentops._hashing import identity
from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider.xai import XaiProvider
from otel_agentops.testing.subject import Subject, name_sources

CALL: Any = {"model": "grok-x", "messages": [user("hi")], "max_tokens": 9}
SENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "x_ai",
    "gen_ai.request.max_tokens": 9,
    "gen_ai.request.model": "grok-x",
    "otel_agentops.param.max_tokens.source": "explicit",
    **name_sources(Subject.sampling),
    "otel_agentops.params.hash": identity({"max_tokens": 9}),
    "otel_agentops.prompt.source": "none",
}
HEAD = {
    "gen_ai.response.id": "fake",
    "gen_ai.response.model": "grok-x-0309",
    "openai.response.system_fingerprint": "fp_fake",
    "otel_agentops.model.resolution": "resolved",
}
ANSWERED = {
    **HEAD,
    "gen_ai.response.finish_reasons": ["REASON_STOP"],
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.reasoning.output_tokens": 2,
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}

# What the SDK's own tracing calls the provider, and where it says it was; before 1.6 by a name of old, and nowhere.
NEW = Version(importlib.metadata.version("xai-sdk")) >= Version("1.6")
NAMED = {"gen_ai.provider.name": "xai", "server.address": "api.x.ai"} if NEW else {"gen_ai.system": "xai"}
# What the SDK's own tracing says, with and without what it takes for sensitive.
NATIVE_ALWAYS = {
    **NAMED,
    "gen_ai.operation.name": "chat",
    "gen_ai.output.type": "text",
    "gen_ai.request.model": "grok-x",
    "server.port": 443,
}
NATIVE_ASKED = {
    **NATIVE_ALWAYS,
    "gen_ai.prompt.0.content": "hi",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.request.frequency_penalty": 0.0,
    "gen_ai.request.logprobs": False,
    "gen_ai.request.max_tokens": 9,
    "gen_ai.request.parallel_tool_calls": True,
    "gen_ai.request.presence_penalty": 0.0,
    "gen_ai.request.store_messages": False,
    "gen_ai.request.temperature": 1.0,
    "gen_ai.request.use_encrypted_content": False,
}
NATIVE = {
    **NATIVE_ASKED,
    "gen_ai.completion.0.content": "Hello there.",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.response.finish_reasons": ["REASON_STOP"],
    "gen_ai.response.id": "fake",
    "gen_ai.response.model": "grok-x-0309",
    "gen_ai.response.system_fingerprint": "fp_fake",
    "gen_ai.usage.cached_prompt_text_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 3,  # without what was thought
    "gen_ai.usage.prompt_image_tokens": 0,
    "gen_ai.usage.prompt_text_tokens": 11,
    "gen_ai.usage.reasoning_tokens": 2,
    "gen_ai.usage.total_tokens": 16,
}


def span(attributes: dict[str, Any], *, name: str = "chat grok-x", status: str = "UNSET") -> dict[str, Any]:
    """A root span with these attributes; None takes one out."""
    kept = {key: value for key, value in sorted(attributes.items()) if value is not None}
    return {"name": name, "kind": "CLIENT", "status": status, "parent": None, "attributes": kept}


def whole(provider: XaiProvider, **changes: Any) -> dict[str, Any]:
    """Our span of `CALL`. changes: attributes with `__` for a dot."""
    return span({**SENT, **ANSWERED, **server(provider), **_dotted(changes)})


def failed(provider: XaiProvider, error: str, **changes: Any) -> dict[str, Any]:
    """Our span of a `CALL` that was never answered."""
    return span({**SENT, **server(provider), "error.type": error, **_dotted(changes)}, status="ERROR")


def server(provider: XaiProvider) -> dict[str, Any]:
    return {"server.address": "127.0.0.1", "server.port": int(provider.xai_host.rpartition(":")[2])}


def _dotted(changes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in changes.items()}
