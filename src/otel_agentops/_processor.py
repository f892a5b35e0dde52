"""Spans of frameworks as observations: stamped with scope facts when they start, counted when they end."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from typing_extensions import override

from otel_agentops import _coerce, _foreign_spans
from otel_agentops._context import Scope, current_scope, entered_scope
from otel_agentops._downstream import record_failed_request
from otel_agentops._guard import guard
from otel_agentops._observation import Installation, Observation, PendingForeignOperation
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._placement import Placement, is_same_run, place_span, placement_below
from otel_agentops._span_processors import add_span_processor
from otel_agentops._tool_arguments import hash_tool_call
from otel_agentops.operations import (
    AGENT_RUNS,
    EXECUTE_TOOL,
    MODEL_CALLS,
    RETRIEVAL,
    AgentRun,
    Attributes,
    Retrieval,
    RetrievalResult,
    ToolCall,
    ToolResult,
)
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import open_tasks, record_unattributed

KeepParent = Callable[[trace.Span, trace.Span], object]
_UNCOUNTED: dict[str | None, ToolCall | Retrieval] = {
    EXECUTE_TOOL: ToolCall("", {}),
    RETRIEVAL: Retrieval("", None, None, {}),
}


class ScopeProcessor(SpanProcessor):
    """Stamps task, traffic and rollout facts, judge and tool identities on GenAI spans that are not ours.

    Args:
        telemetry: Is told of the operations that spans of frameworks are.
        keep_parent: Is told of each span that starts, and of the span above it; None if nobody wants to know.
    """

    def __init__(self, telemetry: Installation, keep_parent: KeepParent | None = None) -> None:
        self._telemetry = telemetry
        self._keep_parent = keep_parent
        # By span id; what holds them is the placement of their span, so a span that is dropped takes its own along.
        self._pending: weakref.WeakValueDictionary[int, PendingForeignOperation] = weakref.WeakValueDictionary()

    @override
    @guard
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self._keep_parent is not None:
            self._keep_parent(span, trace.get_current_span(parent_context))
        is_ours = _foreign_spans.is_ours(span)
        if is_ours and entered_scope().task is None:
            return  # most calls of most programs: it brought its facts with it, and there is no task to have a place in
        scope = current_scope()
        operation = _foreign_spans.find_operation(span)
        if operation is not None and not is_ours:
            _stamp_facts(span, operation, scope)
        if not is_ours and (operation is None or operation in MODEL_CALLS):
            _foreign_spans.remember_started(span)  # if it does not say by now what it is, it may when a call is made
        if scope.task is not None:
            parent = trace.get_current_span(parent_context)
            above = placement_below(parent, scope)
            if not is_ours:
                is_run = operation is None or operation in AGENT_RUNS
                is_known = is_run and is_same_run(span, parent, operation)
                place_span(span, above if is_known else self._observe(span, operation, scope, above), scope)
            elif operation == EXECUTE_TOOL:
                here = above._replace(tool_name=_foreign_spans.find_tool_name(span), is_ours=True)
                place_span(span, here.enter_surface(span), scope)
            elif operation == RETRIEVAL:
                place_span(span, above.enter_surface(span), scope)
            else:
                place_span(span, above, scope)
        elif open_tasks and operation in _UNCOUNTED and span.kind is not SpanKind.SERVER:
            # Of others: a model call is told of by its client, and a request is no part of a task here.
            record_unattributed(_UNCOUNTED[operation])

    def _observe(self, span: Span, operation: str | None, scope: Scope, above: Placement) -> Placement:
        """Observe a foreign span unless one above it stands for the same execution; return its place."""
        if operation == EXECUTE_TOOL and (tool_name := _foreign_spans.find_tool_name(span)) != above.tool_name:
            pending = self._begin(span, ToolCall(tool_name, {}), scope)
            return above._replace(tool_name=tool_name, is_ours=False, pending=pending).enter_surface(span)
        if operation == RETRIEVAL:
            return above._replace(pending=self._begin(span, Retrieval("", None, None, {}), scope)).enter_surface(span)
        if operation in AGENT_RUNS and not _foreign_spans.is_of_observed_run(span):
            depth = above.depth + 1
            Observation(self._telemetry).adopt(AgentRun("", {}, depth=depth), scope)
            return above._replace(depth=depth)
        return above

    def _begin(self, span: Span, operation: ToolCall | Retrieval, scope: Scope) -> PendingForeignOperation:
        observation = Observation(self._telemetry)
        observation.adopt(operation, scope)
        pending = PendingForeignOperation(observation)
        self._pending[span.get_span_context().span_id] = pending
        return pending

    @override
    @guard
    def on_end(self, span: ReadableSpan) -> None:
        if span.status.status_code is StatusCode.ERROR and span.kind is SpanKind.CLIENT:
            record_failed_request(span)
        if not self._pending or span.context is None:
            return
        pending = self._pending.pop(span.context.span_id, None)
        if pending is None:
            return
        observation = pending.observation
        has_failed = span.status.status_code is StatusCode.ERROR or A.ERROR_TYPE in (span.attributes or {})
        error_type = "error" if has_failed else None
        if isinstance(observation.operation, ToolCall):
            if pending.arguments_hash is None:
                pending.arguments_hash = _hash_arguments(span, observation.operation.name)
            observation.operation = observation.operation._replace(arguments_hash=pending.arguments_hash)
            observation.finish(ToolResult(), error_type)
        elif not pending.knows_documents:
            observation.finish(RetrievalResult(document_hashes=_hash_documents(span)), error_type)


def _hash_arguments(span: ReadableSpan, tool_name: str) -> int | None:
    """Return the hash of the arguments that a framework tells; None if it does not."""
    arguments = (span.attributes or {}).get(A.GEN_AI_TOOL_CALL_ARGUMENTS)
    return None if arguments is None else hash_tool_call(tool_name, arguments)


def _hash_documents(span: ReadableSpan) -> list[int] | None:
    """Return the hashes of the document ids that a framework tells; None if it does not."""
    documents: Any = (span.attributes or {}).get(A.GEN_AI_RETRIEVAL_DOCUMENTS)
    try:
        documents = json.loads(documents) if isinstance(documents, str) else documents
    except ValueError:
        return None
    return _coerce.hash_documents(documents) if isinstance(documents, (list, tuple)) else None


def _stamp_facts(span: Span, operation: str, scope: Scope) -> None:
    facts: Attributes = dict(scope.facts)
    if scope.judge is not None:
        facts.update(scope.judge.facts)
    if operation == EXECUTE_TOOL and A.TOOL_HASH not in (span.attributes or {}):
        tool_hash = find_tool_hash(_foreign_spans.find_tool_name(span))
        facts.update({A.TOOL_HASH: tool_hash} if tool_hash else {})
    if facts:
        span.set_attributes(facts)


# By id: a provider may have no hash, as that of logfire.
_stamped_providers: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


@guard
def add_scope_processor(provider: Any, telemetry: Installation, keep_parent: KeepParent | None = None) -> None:
    """Add a `ScopeProcessor` to a tracer provider, once; one that takes no processors is left alone."""
    if hasattr(provider, "add_span_processor") and _stamped_providers.get(id(provider)) is not provider:
        _stamped_providers[id(provider)] = provider
        add_span_processor(provider, ScopeProcessor(telemetry, keep_parent))
