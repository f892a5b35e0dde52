"""Anthropic: messages and beta messages, on its own service, Bedrock, Vertex and Foundry.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/_base_client.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo, NativeTracing
from otel_agentops.clients._families import stainless
from otel_agentops.clients._protocols.anthropic_messages import MESSAGES


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the SDK has one class per cloud."""
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
    foreign_spans=ForeignSpans(
        operations_by_name={
            "anthropic.chat": "chat",  # of OpenLLMetry
            "anthropic.completion": "text_completion",  # of OpenLLMetry
            "anthropic.messages.create": "chat",  # the client's own tracing
        },
        unmeasured_scopes=frozenset({"com.anthropic.sdk.python"}),
    ),
)
LIBRARY = stainless.make_library("anthropic", ">=1,<3", ENDPOINTS, name_provider, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_anthropic`."""

    libraries = (LIBRARY,)


AnthropicInstrumentor = Instrumentor  # the name that others give theirs
