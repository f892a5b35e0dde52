"""Spans of other instrumentations, recognised by attribute, else by the first word of their name.

Several frameworks start spans without any attribute (google-adk, strands, phoenix evals, agent-framework), so that at
the start of a span only its scope and its name say what it is. Others describe their span a moment later (OpenLLMetry
for LangChain, Langfuse), or do not make the span of a call current (both, OpenLLMetry for Anthropic, OpenInference for
`messages.stream`). So spans are remembered in the context that started them, and recognised when a call is made there.

What is known of the instrumentations of one client alone is in that client's `ForeignSpans`, registered when it is
installed. An adapter that knows which span somebody has for an operation, also if another thread started it, says so by
`describe_span`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.trace import Span, get_current_span

from otel_agentops.operations import AGENT_RUNS, EXECUTE_TOOL, FETCH, INFERENCE, MODEL_CALLS, RETRIEVAL
from otel_agentops.semconv import attributes as A

SCOPE = "otel_agentops"
OPERATIONS = MODEL_CALLS | AGENT_RUNS | {RETRIEVAL, EXECUTE_TOOL, "create_agent"}

# Keys of a context in which a call is not to be traced: by anybody, or by those who trace language models, because
# somebody (OpenLLMetry) has a span for it by now.
_SUPPRESS_KEYS = (_SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")
_SUPPRESS_MODEL_CALLS_KEY = "suppress_language_model_instrumentation"
_SUPPRESSING_SCOPE = "opentelemetry.instrumentation.langchain"

# Attributes by which instrumentations outside the GenAI conventions say what a span is: OpenInference, OpenLLMetry,
# Langfuse.
_KIND_KEYS = ("openinference.span.kind", "traceloop.span.kind", "llm.request.type", "langfuse.observation.type")
_MODEL_KEYS = (A.GEN_AI_REQUEST_MODEL, "llm.model_name", "embedding.model_name", "langfuse.observation.model.name")
_OPERATIONS_BY_KIND = {
    "llm": "chat",
    "chat": "chat",
    "generation": "chat",
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
        unmeasured_scopes: Scopes of the client's own tracing, which records no client metrics.
        own_parent_scopes: Scopes whose span may have a parent that the application names, and not the current span.
        suppressing_scopes: Scopes that suppress spans of model calls below every span of theirs, also below one that is
            of no call.
        run_scopes: Scopes whose spans of agents are of runs that the adapter of the library observes itself.
        tool_names: By scope, span name to the tool that it is of, as models are offered it.
    """

    operations_by_name: Mapping[str, str] = {}
    renamed_operations: Mapping[str, str] = {}
    attempt_scopes: Mapping[str, Mapping[str, str]] = {}
    never_ends_stream_scopes: frozenset[str] = frozenset()
    unmeasured_scopes: frozenset[str] = frozenset()
    own_parent_scopes: frozenset[str] = frozenset()
    suppressing_scopes: frozenset[str] = frozenset()
    run_scopes: frozenset[str] = frozenset()
    tool_names: Mapping[str, Callable[[str], str]] = {}


_operations_by_name: dict[str, str] = {}
_renamed_operations: dict[str, str] = {}
_attempt_scopes: dict[str, Mapping[str, str]] = {}
_never_ends_stream_scopes: set[str] = set()
_unmeasured_scopes: set[str] = set()
_own_parent_scopes: set[str] = set()
_suppressing_scopes: set[str] = {_SUPPRESSING_SCOPE}
_run_scopes: set[str] = set()
_tool_names: dict[str, Callable[[str], str]] = {}


def register_foreign_spans(spans: ForeignSpans) -> None:
    """Recognise the spans of a client's other instrumentations from now on."""
    _operations_by_name.update(spans.operations_by_name)
    _renamed_operations.update(spans.renamed_operations)
    _attempt_scopes.update(spans.attempt_scopes)
    _never_ends_stream_scopes.update(spans.never_ends_stream_scopes)
    _unmeasured_scopes.update(spans.unmeasured_scopes)
    _own_parent_scopes.update(spans.own_parent_scopes)
    _suppressing_scopes.update(spans.suppressing_scopes)
    _run_scopes.update(spans.run_scopes)
    _tool_names.update(spans.tool_names)


def is_suppressed(context: Context) -> bool:
    """Return True if nobody is to trace a call that is made in this context."""
    return any(context.get(key) for key in _SUPPRESS_KEYS)


def is_model_call_suppressed(context: Context) -> bool:
    """Return True if somebody has a span for a call of a model that is made in this context.

    OpenLLMetry leaves its key in the context of a task after LangChain's `ainvoke`: then its span has ended. It sets
    the key below every span of LlamaIndex: then its span is of no call.
    """
    if not context.get(_SUPPRESS_MODEL_CALLS_KEY):
        return False
    theirs = next((started for started in reversed(_STARTED.get()) if started.scope in _suppressing_scopes), None)
    if theirs is None:
        return True
    span = theirs.find_recording()
    return span is not None and (theirs.scope == _SUPPRESSING_SCOPE or find_operation(span) in MODEL_CALLS)


def find_operation(span: Span) -> str | None:
    """Return the GenAI operation that a span of anybody stands for; None if it is not one."""
    attributes = read_attributes(span)
    operation = attributes.get(A.GEN_AI_OPERATION_NAME)
    if operation is not None:
        return _renamed_operations.get(str(operation), str(operation))
    for key in _KIND_KEYS:
        if (kind := attributes.get(key)) is not None:
            return _OPERATIONS_BY_KIND.get(str(kind).lower())
    if _descriptions and (description := _descriptions.get(span)) is not None:
        return description.operation
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


def is_of_observed_run(span: object) -> bool:
    """Return True if an adapter of ours observes the runs of agents that its maker makes spans of."""
    return _scope_name(span) in _run_scopes


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
    attributes, span_name = read_attributes(span), getattr(span, "name", "")
    if _descriptions and (description := _descriptions.get(span)) is not None:
        return description.tool_name
    if (read_name := _tool_names.get(_scope_name(span) or "")) is not None:
        return read_name(span_name)
    name = attributes.get(A.GEN_AI_TOOL_NAME) or attributes.get("tool.name") or span_name.partition(" ")[2]
    # OpenInference calls the span of a tool of OpenAI Agents by the tool alone.
    return str(name or (span_name if "openinference.span.kind" in attributes else ""))


def is_inside_tool(name: str) -> bool:
    """Return True if the current span is an execution of this tool."""
    span = get_current_span()
    return find_operation(span) == EXECUTE_TOOL and find_tool_name(span) == name


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


def find_model(span: Span) -> Any:
    """Return the model that a span of anybody says was asked for; None if it does not say it."""
    attributes = read_attributes(span)
    return next((attributes[key] for key in _MODEL_KEYS if key in attributes), None)


def is_same_model(one: Any, other: str | None) -> bool:
    """Return True if two names mean one model: a maker, a region or a path may stand before the model's own name."""
    if one == other or not other:
        return bool(one == other)
    our_name, their_name = str(other).rpartition("/")[2], str(one).rpartition("/")[2]
    return our_name == their_name or our_name.endswith(f".{their_name}") or their_name.endswith(f".{our_name}")


def _names_model(span: Span, model: str | None) -> bool:
    """Return True if a span of another model operation is about this model: nobody chats with one that embeds."""
    span_model = find_model(span)
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
    return (
        A.GEN_AI_OPERATION_NAME in attributes or any(key in attributes for key in _KIND_KEYS) or span in _descriptions
    )


class StartedSpan(NamedTuple):
    """A span that was started in a context, and its instrumentation scope."""

    ref: weakref.ref[Span]
    scope: str | None

    def find_recording(self) -> Span | None:
        """Return the span; None if it has ended."""
        span = self.ref()
        return span if span is not None and span.is_recording() else None


# Spans that were started in this context for a model call, as far as their start says it, oldest first.
_STARTED: ContextVar[tuple[StartedSpan, ...]] = ContextVar("otel_agentops.started", default=())
_MAX_STARTED = 8  # that many may wait for their call: managers made beforehand, and streams still being read


def remember_started(span: Span) -> None:
    """Remember a span that may stand for a model call, whether or not its maker makes it current."""
    scope = _scope_name(span)
    kept = [
        started
        for started in _STARTED.get()
        if started.find_recording() is not None or scope != _SUPPRESSING_SCOPE == started.scope
    ]
    _STARTED.set((*kept[1 - _MAX_STARTED :], StartedSpan(weakref.ref(span), scope)))


class Description(NamedTuple):
    """The operation that a span stands for, and its tool, as an adapter knows them before the span says it."""

    operation: str
    tool_name: str = ""


_descriptions: weakref.WeakKeyDictionary[Span, Description] = weakref.WeakKeyDictionary()


def find_last_started(scope: str) -> Span | None:
    """Return the span that was started last in this context, if it has this scope and has not ended."""
    started_spans = _STARTED.get()
    return started_spans[-1].find_recording() if started_spans and started_spans[-1].scope == scope else None


def is_described_as(span: Span, operation: str) -> bool:
    """Return True if an adapter says that a span stands for this operation."""
    description = _descriptions.get(span) if _descriptions else None
    return description is not None and description.operation == operation


def describe_span(span: Span, description: Description) -> None:
    """Say what a span stands for that may have been started in another thread; it is found from here on."""
    _descriptions[span] = description
    if not any(started.ref() is span for started in _STARTED.get()):
        remember_started(span)


def is_unmeasured(span: Span, operation: str, model: str | None) -> bool:
    """Return True if nobody records the client metrics of a call for which this span was started.

    The client itself made it, and no instrumentation has a span for the same call.
    """
    if _scope_name(span) not in _unmeasured_scopes:
        return False
    others = (started.find_recording() for started in _STARTED.get())
    return not any(
        other is not None and other is not span and was_started_for(other, operation, model) for other in others
    )


def recording_siblings(current: Span) -> Iterator[Span]:
    """Yield the recording spans that were started here under the span that is current, oldest first."""
    if not (started_spans := _STARTED.get()):
        return
    current_id = current.get_span_context().span_id
    for started in started_spans:
        if (span := started.find_recording()) is not None:
            parent = getattr(span, "parent", None)
            # 0 is the id of no span, also if none is current.
            if (0 if parent is None else parent.span_id) == current_id or started.scope in _own_parent_scopes:
                yield span
