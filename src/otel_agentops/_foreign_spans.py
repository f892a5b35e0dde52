"""Spans of other instrumentations, recognised by attribute, else by the first word of their name.

Several frameworks start spans without any attribute (google-adk, strands, phoenix evals, agent-framework), so that at
the start of a span only its scope and its name say what it is. Others do not make the span of a call current
(OpenLLMetry for Anthropic, OpenInference for `messages.stream`): it is remembered in the context that started it.

What is known of the instrumentations of one client alone is in that client's `ForeignSpans`, registered when it is
installed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from opentelemetry.trace import Span

from otel_agentops.operations import AGENT_RUNS, EXECUTE_TOOL, FETCH, INFERENCE, MODEL_CALLS, RETRIEVAL
from otel_agentops.semconv import attributes as A

SCOPE = "otel_agentops"
OPERATIONS = MODEL_CALLS | AGENT_RUNS | {RETRIEVAL, EXECUTE_TOOL, "create_agent"}

# Attributes by which instrumentations outside the GenAI conventions say what a span is: OpenInference, OpenLLMetry.
_KIND_KEYS = ("openinference.span.kind", "traceloop.span.kind", "llm.request.type")
_MODEL_KEYS = (A.GEN_AI_REQUEST_MODEL, "llm.model_name", "embedding.model_name")
_OPERATIONS_BY_KIND = {
    "llm": "chat",
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "rerank": RETRIEVAL,
    "reranker": RETRIEVAL,
    "retriever": RETRIEVAL,
    "tool": EXECUTE_TOOL,
    "agent": "invoke_agent",
    "workflow": "invoke_workflow",
}
# Attributes that OpenInference sets when the span of a model call starts, if the kind is only told when it ends.
_OPERATIONS_BY_KEY = {"llm.invocation_parameters": "chat", "embedding.model_name": "embeddings"}


class ForeignSpans(NamedTuple):
    """How instrumentations of one client name their spans, as far as no attribute says it.

    Attributes:
        operations_by_name: Span name to operation, for spans that have no attribute when they start.
        renamed_operations: Their word for an operation to that of the convention.
        attempt_scopes: By instrumentation scope, span name to operation, if it starts a span for every attempt and
            never ends those of the attempts that failed.
        never_ends_stream_scopes: Scopes that end the span of a stream at a last event that they know, and never if
            they know none.
    """

    operations_by_name: Mapping[str, str] = {}
    renamed_operations: Mapping[str, str] = {}
    attempt_scopes: Mapping[str, Mapping[str, str]] = {}
    never_ends_stream_scopes: frozenset[str] = frozenset()


_operations_by_name: dict[str, str] = {}
_renamed_operations: dict[str, str] = {}
_attempt_scopes: dict[str, Mapping[str, str]] = {}
_never_ends_stream_scopes: set[str] = set()


def register_foreign_spans(spans: ForeignSpans) -> None:
    """Recognise the spans of a client's other instrumentations from now on."""
    _operations_by_name.update(spans.operations_by_name)
    _renamed_operations.update(spans.renamed_operations)
    _attempt_scopes.update(spans.attempt_scopes)
    _never_ends_stream_scopes.update(spans.never_ends_stream_scopes)


def find_operation(span: Span) -> str | None:
    """Return the GenAI operation that a span of anybody stands for; None if it is not one."""
    attributes = read_attributes(span)
    operation = attributes.get(A.GEN_AI_OPERATION_NAME)
    if operation is not None:
        return _renamed_operations.get(str(operation), str(operation))
    for key in _KIND_KEYS:
        if (kind := attributes.get(key)) is not None:
            return _OPERATIONS_BY_KIND.get(str(kind).lower())
    name = str(getattr(span, "name", ""))
    by_name = _operations_by_attempt_name(span).get(name) or _operations_by_name.get(name)
    if by_name is not None:
        return by_name
    by_key = next((operation for key, operation in _OPERATIONS_BY_KEY.items() if key in attributes), None)
    if by_key is not None:
        return by_key
    first_word = name.partition(" ")[0]
    return first_word if first_word in OPERATIONS and first_word != name else None


def read_attributes(span: object) -> Mapping[str, Any]:
    """Return the attributes of a span; none if it is not recording."""
    return getattr(span, "attributes", None) or {}


def is_ours(span: object) -> bool:
    """Return True if this package made the span."""
    return _scope_name(span) == SCOPE


def is_of_one_attempt(span: object) -> bool:
    """Return True if its maker starts a span for every attempt and never ends those of the attempts that failed."""
    return bool(_operations_by_attempt_name(span))


def never_ends_stream_span(span: object) -> bool:
    """Return True if its maker leaves the span of some streams open for ever."""
    return _scope_name(span) in _never_ends_stream_scopes


def _scope_name(span: object) -> str | None:
    scope = getattr(span, "instrumentation_scope", None)
    return scope.name if scope is not None else None


def _operations_by_attempt_name(span: object) -> Mapping[str, str]:
    return _attempt_scopes.get(_scope_name(span) or "", {})


def find_tool_name(span: Span) -> str:
    """Return the tool that an `execute_tool` span of anybody is about."""
    name = read_attributes(span).get(A.GEN_AI_TOOL_NAME)
    return str(name or getattr(span, "name", "").partition(" ")[2])


def was_started_for(span: Span, operation: str, model: str | None) -> bool:
    """Return True if a foreign span can have been started for a call of this operation and model.

    A span that only its name describes must name the model: the application's own `chat with a customer` is no call.
    """
    span_operation = find_operation(span)
    if span_operation in AGENT_RUNS and is_of_one_attempt(span):
        span_operation = "chat"
    if span_operation != operation and not (span_operation in INFERENCE and _can_stand_for(span, operation)):
        return span_operation in MODEL_CALLS and operation in MODEL_CALLS and _names_model(span, model)
    if span_operation == RETRIEVAL and model is not None and _is_framework_retrieval(span):
        return False
    first_word, _, rest = str(getattr(span, "name", "")).partition(" ")
    return first_word != span_operation or is_same_model(rest, model) or _is_described(span)


def is_same_model(one: Any, other: str | None) -> bool:
    """Return True if two names mean one model: a maker, a region or a path may stand before the model's own name."""
    if one == other or not other:
        return bool(one == other)
    our_name, their_name = str(other).rpartition("/")[2], str(one).rpartition("/")[2]
    return our_name == their_name or our_name.endswith(f".{their_name}") or their_name.endswith(f".{our_name}")


def _names_model(span: Span, model: str | None) -> bool:
    """Return True if a span of another model operation is about this model: nobody chats with one that embeds."""
    attributes = read_attributes(span)
    span_model = next((attributes[key] for key in _MODEL_KEYS if key in attributes), None)
    return span_model is not None and is_same_model(span_model, model)


def _can_stand_for(span: Span, operation: str) -> bool:
    """Return True if the span of an inference can be that of this operation; OpenInference calls a fetch one."""
    if operation == FETCH:
        return A.GEN_AI_OPERATION_NAME not in read_attributes(span)
    return operation in INFERENCE


def _is_framework_retrieval(span: Span) -> bool:
    """Return True if the span is a whole retrieval, of which the call of a model that ranks is only a part."""
    attributes = read_attributes(span)
    kind = next((attributes[key] for key in _KIND_KEYS if key in attributes), None)
    lacks_model = A.GEN_AI_OPERATION_NAME in attributes and A.GEN_AI_REQUEST_MODEL not in attributes
    return lacks_model or str(kind).lower() == "retriever"


def _is_described(span: Span) -> bool:
    attributes = read_attributes(span)
    return A.GEN_AI_OPERATION_NAME in attributes or any(key in attributes for key in _KIND_KEYS)


# Spans that were started in this context for a model call, oldest first.
_STARTED: ContextVar[tuple[weakref.ref[Span], ...]] = ContextVar("otel_agentops.started", default=())
_MAX_STARTED = 8  # that many may wait for their call: managers made beforehand, and streams still being read


def remember_started(span: Span) -> None:
    """Remember a span that stands for a model call, whether or not its maker makes it current."""
    recording = [ref for ref in _STARTED.get() if (known := ref()) is not None and known.is_recording()]
    _STARTED.set((*recording[1 - _MAX_STARTED :], weakref.ref(span)))


def recording_siblings(current: Span) -> Iterator[Span]:
    """Yield the recording spans that were started here under the span that is current, oldest first."""
    started = _STARTED.get()
    if not started:
        return
    current_id = current.get_span_context().span_id
    for ref in started:
        span = ref()
        if span is not None and span.is_recording() and _parent_id(span) == current_id:
            yield span


def _parent_id(span: Span) -> int:
    parent = getattr(span, "parent", None)
    return parent.span_id if parent is not None else 0  # 0 is the id of no span, also if none is current
