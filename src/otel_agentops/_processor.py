"""Scope facts on anybody's GenAI spans: stamped when they start, tool calls counted when they end."""

from __future__ import annotations

import weakref
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from otel_agentops import _foreign
from otel_agentops import scope as scopes
from otel_agentops._safe import guard
from otel_agentops.record import Attributes
from otel_agentops.scope import NOWHERE, Run, Scope
from otel_agentops.semconv import attributes as A


class ScopeProcessor(SpanProcessor):
    """Stamps task, traffic and rollout facts, judge and tool identities on GenAI spans that are not ours."""

    def __init__(self) -> None:
        self._runs: weakref.WeakValueDictionary[int, Run] = weakref.WeakValueDictionary()  # by span id

    @guard
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if _foreign.is_ours(span):
            return
        operation = _foreign.operation_of(span)
        if operation is not None:
            self._stamp(span, operation, scopes.current())

    def _stamp(self, span: Span, operation: str, scope: Scope) -> None:
        facts: Attributes = dict(scope.facts)
        if scope.judge is not None:
            facts.update(scope.judge.facts)
        if operation == "execute_tool":
            facts.update(_tool_facts(span))
        if facts:
            span.set_attributes(facts)
        if scope is not NOWHERE and scope.run is not None:
            self._join(span, operation, scope, scope.run)

    def _join(self, span: Span, operation: str, scope: Scope, run: Run) -> None:
        if operation == "execute_tool":
            self._runs[span.get_span_context().span_id] = run
        elif operation in _foreign.AGENTS:
            run.agents.append(scope.depth + 1)

    @guard
    def on_end(self, span: ReadableSpan) -> None:
        if not self._runs or span.context is None:
            return
        run = self._runs.pop(span.context.span_id, None)
        if run is not None:
            failed = span.status.status_code is StatusCode.ERROR or A.ERROR_TYPE in (span.attributes or {})
            run.tool_results.append(not failed)


def _tool_facts(span: Span) -> Attributes:
    """The hash under which the tool was offered to a model in this scope, where it is known."""
    attributes = span.attributes or {}
    name = attributes.get(A.GEN_AI_TOOL_NAME) or span.name.partition(" ")[2]
    learned = scopes.learned_tool(str(name))
    return {A.TOOL_HASH: learned} if learned and A.TOOL_HASH not in attributes else {}


_stamped: weakref.WeakSet[Any] = weakref.WeakSet()


def stamp_spans_of(provider: Any) -> None:
    """Add a `ScopeProcessor` to a tracer provider, once; one that takes no processors is left alone."""
    if hasattr(provider, "add_span_processor") and provider not in _stamped:
        _stamped.add(provider)
        provider.add_span_processor(ScopeProcessor())
