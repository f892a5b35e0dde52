"""How the spans of other instrumentations are recognised: by attribute, else by the first word of the name.

Several frameworks start spans without any attribute (google-adk, strands, phoenix evals, agent-framework), so that
at the start of a span only its scope and its name say what it is. Others do not make the span of a call current
(OpenLLMetry for Anthropic, OpenInference for `messages.stream`): it is remembered where it was started.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from opentelemetry.trace import Span

from otel_agentops.operations import FETCH, INFERENCE
from otel_agentops.semconv import attributes as A

SCOPE = "otel_agentops"
OPERATIONS = INFERENCE | {"embeddings", "retrieval", "execute_tool", "invoke_agent", "invoke_workflow", "create_agent"}
MODEL_CALLS = INFERENCE | {"embeddings"}
AGENTS = frozenset({"invoke_agent", "invoke_workflow"})

# Attributes by which instrumentations outside the GenAI conventions say what a span is.
_KIND_KEYS = ("openinference.span.kind", "traceloop.span.kind", "llm.request.type")
_MODEL_KEYS = (A.GEN_AI_REQUEST_MODEL, "llm.model_name", "embedding.model_name")
_KINDS = {
    "llm": "chat",
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "rerank": "retrieval",
    "reranker": "retrieval",
    "retriever": "retrieval",
    "tool": "execute_tool",
    "agent": "invoke_agent",
    "workflow": "invoke_workflow",
}
# What OpenInference says of a model's call when it starts, where the kind is told when it ends (Cohere, Groq, Mistral,
# LiteLLM).
_INVOKED = {"llm.invocation_parameters": "chat", "embedding.model_name": "embeddings"}
# Operations that are named beside the convention.
_RENAMED = {"interactions.create": "generate_content"}  # the official instrumentation of google-genai
# Span names of instrumentations that set neither: OpenLLMetry's clients, the clients' own tracing.
_NAMES = {
    "openai.chat": "chat",
    "openai.response": "chat",
    "openai.completion": "text_completion",
    "openai.embeddings": "embeddings",
    "anthropic.chat": "chat",
    "anthropic.messages.create": "chat",
    "anthropic.completion": "text_completion",
    "ClientV2.rerank": "retrieval",  # OpenInference for Cohere, which says the kind when the span ends
    "AsyncClientV2.rerank": "retrieval",
    # OpenInference for Mistral, which says the kind when the span ends.
    "MistralClient.chat": "chat",
    "MistralAsyncClient.chat": "chat",
    "MistralClient.agents": "chat",
    "MistralAsyncClient.agents": "chat",
    # OpenInference for Bedrock, the same.
    "bedrock.converse": "chat",
    "bedrock.converse_stream": "chat",
    "bedrock.invoke_model": "chat",
    "bedrock.invoke_model_with_response_stream": "chat",
    "bedrock.retrieve": "retrieval",
    "bedrock.retrieve_and_generate": "chat",
    "bedrock.retrieve_and_generate_stream": "chat",
}
# Scopes of instrumentations that know the last event of some streams: botocore's, of four families of Bedrock's models.
_FORGETFUL = frozenset({"opentelemetry.instrumentation.botocore.bedrock-runtime"})
# Scopes of clients' own tracing that starts a span for every attempt and forgets those of the attempts that failed. It
# names them after the API's operations until it has read the request, and then a call of a remote agent `invoke_agent`.
_OF_ATTEMPTS = {
    "mistralai_sdk_tracer": {
        "chat_completion_v1_chat_completions_post": "chat",
        "stream_chat": "chat",
        "agents_completion_v1_agents_completions_post": "chat",
        "stream_agents": "chat",
        **{
            f"agents_api_v1_conversations_{action}{stream}": "chat"
            for action in ("start", "append", "restart")
            for stream in ("", "_stream")
        },
        "fim_completion_v1_fim_completions_post": "text_completion",
        "stream_fim": "text_completion",
        "embeddings_v1_embeddings_post": "embeddings",
    }
}


def operation_of(span: Span) -> str | None:
    """The GenAI operation a span of anybody stands for; None where it is not one."""
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    named = attributes.get(A.GEN_AI_OPERATION_NAME)
    if named is not None:
        return _RENAMED.get(str(named), str(named))
    for key in _KIND_KEYS:
        if (kind := attributes.get(key)) is not None:
            return _KINDS.get(str(kind).lower())
    name = str(getattr(span, "name", ""))
    known = _operations_of(span).get(name) or _NAMES.get(name)
    invoked = next((operation for key, operation in _INVOKED.items() if key in attributes), None)
    return known or invoked or _by_name(name)


def is_ours(span: Span) -> bool:
    """Whether this package made the span."""
    scope = getattr(span, "instrumentation_scope", None)
    return scope is not None and scope.name == SCOPE


def is_of_an_attempt(span: Span) -> bool:
    """Whether its maker starts a span for every attempt, and never ends those of the attempts that failed."""
    return bool(_operations_of(span))


def is_forgotten(span: Span) -> bool:
    """Whether its maker ends the span of a stream at a last event that it knows, and never where it knows none."""
    scope = getattr(span, "instrumentation_scope", None)
    return scope is not None and scope.name in _FORGETFUL


def _operations_of(span: Span) -> Mapping[str, str]:
    scope = getattr(span, "instrumentation_scope", None)
    return _OF_ATTEMPTS.get(scope.name, {}) if scope is not None else {}


def tool_of(span: Span) -> str:
    """The tool that an `execute_tool` span of anybody is about."""
    named = (getattr(span, "attributes", None) or {}).get(A.GEN_AI_TOOL_NAME)
    return str(named or getattr(span, "name", "").partition(" ")[2])


def started_for(span: Span, operation: str, model: str | None) -> bool:
    """Whether a foreign span can have been started for a call of this operation and model.

    A span that only its name describes must name the model: the application's own `chat with a customer` is no call.
    """
    found = operation_of(span)
    if found in AGENTS and is_of_an_attempt(span):
        found = "chat"
    if found != operation and not (found in INFERENCE and _can_be(span, operation)):
        return found in MODEL_CALLS and operation in MODEL_CALLS and _names(span, model)
    if found == "retrieval" and model is not None and _retrieves(span):
        return False
    first, _, rest = str(getattr(span, "name", "")).partition(" ")
    return first != found or same_model(rest, model) or _described(span)


def _names(span: Span, model: str | None) -> bool:
    """Whether a span that calls the operation something else is about this model: nobody chats with one that embeds."""
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    named = next((attributes[key] for key in _MODEL_KEYS if key in attributes), None)
    return named is not None and same_model(named, model)


def same_model(one: Any, other: str | None) -> bool:
    """Whether two names mean one model: before its own may stand who made it, where, or the path to it."""
    if one == other or not other:
        return bool(one == other)
    ours, theirs = str(other).rpartition("/")[2], str(one).rpartition("/")[2]
    return ours == theirs or ours.endswith(f".{theirs}") or theirs.endswith(f".{ours}")


def _can_be(span: Span, operation: str) -> bool:
    """Whether the span of an inference can stand for this operation; OpenInference calls a fetch one, by its kind."""
    if operation == FETCH:
        return A.GEN_AI_OPERATION_NAME not in (getattr(span, "attributes", None) or {})
    return operation in INFERENCE


def _retrieves(span: Span) -> bool:
    """Whether a retrieval is a framework's, of which the call of a model that ranks is only a part."""
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    kind = next((attributes[key] for key in _KIND_KEYS if key in attributes), None)
    named = A.GEN_AI_OPERATION_NAME in attributes and A.GEN_AI_REQUEST_MODEL not in attributes
    return named or str(kind).lower() == "retriever"


def _described(span: Span) -> bool:
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    return A.GEN_AI_OPERATION_NAME in attributes or any(key in attributes for key in _KIND_KEYS)


# The spans that were started in this context for a model's call, oldest first.
_STARTED: ContextVar[tuple[weakref.ref[Span], ...]] = ContextVar("otel_agentops.started", default=())
_KEPT = 8  # that many may wait for their call to be made: managers made beforehand, and streams still being read


def started(span: Span) -> None:
    """Remember a span that stands for a model's call, whether or not its maker makes it current."""
    recording = [ref for ref in _STARTED.get() if (known := ref()) is not None and known.is_recording()]
    _STARTED.set((*recording[1 - _KEPT :], weakref.ref(span)))


def waiting_beside(current: Span) -> Iterator[Span]:
    """The recording spans that were started here under the span that is current, oldest first."""
    started_here = _STARTED.get()
    if not started_here:
        return
    here = current.get_span_context().span_id
    for ref in started_here:
        span = ref()
        if span is not None and span.is_recording() and _parent_id(span) == here:
            yield span


def _parent_id(span: Span) -> int:
    parent = getattr(span, "parent", None)
    return parent.span_id if parent is not None else 0  # 0 is the id of no span, also where none is current


def _by_name(name: str) -> str | None:
    first = name.partition(" ")[0]
    return first if first in OPERATIONS and first != name else None
