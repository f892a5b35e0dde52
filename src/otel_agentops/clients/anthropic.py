"""Anthropic: messages and beta messages, on its own service, Bedrock, Vertex and Foundry."""

from __future__ import annotations

from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, NativeTracing
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.anthropic_messages import MESSAGES


def name_provider(api: Any, host: str) -> str:
    """Return `gen_ai.provider.name`: the SDK has one class for each cloud that serves the models."""
    kind = type(api).__name__
    if "Bedrock" in kind:
        return "aws.bedrock"
    return "gcp.vertex_ai" if "Vertex" in kind else "anthropic"


ENDPOINTS = {
    "/v1/messages": MESSAGES,
    ":rawPredict": MESSAGES,  # Vertex
    ":streamRawPredict": MESSAGES,
    "/invoke": MESSAGES,  # Bedrock
    "/invoke-with-response-stream": MESSAGES,
}
INFO = ClientInfo(
    operations=("chat (messages)", "Bedrock, Vertex, Foundry"),
    native="on where the application has a global TracerProvider (1.14 and later): its span is enriched",
    not_covered=(
        "message batches, `count_tokens` and files: the convention has no operation for them",
        "agents, sessions and environments",
    ),
    peers=(
        "opentelemetry-instrumentation-genai-anthropic",
        "opentelemetry-instrumentation-anthropic",
        "openinference-instrumentation-anthropic",
    ),
    tracing=NativeTracing(">=1.14", "ANTHROPIC_OPEN_TELEMETRY", "false"),
)
LIBRARY = stainless.make_library("anthropic", ">=1,<3", ENDPOINTS, name_provider, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_anthropic`."""

    libraries = (LIBRARY,)
