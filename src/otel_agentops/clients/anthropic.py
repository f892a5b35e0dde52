"""Anthropic: messages and beta messages, on its own service, Bedrock, Vertex and Foundry.

Patched is the Stainless base (`_families/stainless.py`):
https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/_base_client.py
and the functions that its tool runners execute:
https://github.com/anthropics/anthropic-sdk-python/blob/main/src/anthropic/lib/tools/_beta_functions.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo, NativeTracing, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.clients._families import stainless
from otel_agentops.clients._families.tool_functions import Execution, has_own_span, wrap_execution
from otel_agentops.clients._protocols.anthropic_messages import MESSAGES


def name_provider(api: object, host: str) -> str:
    """Return `gen_ai.provider.name`; the SDK has one class per cloud."""
    kind = type(api).__name__
    if "Bedrock" in kind:
        return "aws.bedrock"
    return "gcp.vertex_ai" if "Vertex" in kind else "anthropic"


def read_execution(args: Arguments, kwargs: Keywords) -> Execution | None:
    """Read `BetaFunctionTool.call(input)`; None if the function has a span by itself."""
    function_tool, arguments = args[0], args[1] if len(args) > 1 else kwargs["input"]
    if has_own_span(function_tool.func):
        return None
    return Execution(function_tool.name, function_tool.description, arguments)


FUNCTIONS = "anthropic.lib.tools._beta_functions"
TOOLS = (
    Target(FUNCTIONS, "BetaFunctionTool", "call", wrap_execution(read_execution), ("input",)),
    Target(FUNCTIONS, "BetaAsyncFunctionTool", "call", wrap_execution(read_execution, is_async=True), ("input",)),
)
ENDPOINTS = {
    "/v1/messages": MESSAGES,
    ":rawPredict": MESSAGES,  # Vertex
    ":streamRawPredict": MESSAGES,
    "/invoke": MESSAGES,  # Bedrock
    "/invoke-with-response-stream": MESSAGES,
}
INFO = ClientInfo(
    operations=("chat (messages)", "Bedrock, Vertex, Foundry", "execute_tool (functions of a tool runner)"),
    native="on where the application has a global TracerProvider (1.14 and later): its span is enriched",
    not_covered=(
        "message batches, `count_tokens` and files: the convention has no operation for them",
        "agents, sessions and environments",
        "the execution of tools that are a class (memory, toolsets), if the client's own tracing is off",
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
LIBRARY = stainless.make_library("anthropic", ">=1,<3", ENDPOINTS, name_provider, tools=TOOLS, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_anthropic`."""

    libraries = (LIBRARY,)


AnthropicInstrumentor = Instrumentor  # the name that others give theirs
