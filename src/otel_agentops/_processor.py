"""Scope facts on anybody's GenAI spans: stamped when they start, tool calls counted when they end.

Frameworks nest spans of one thing (a tool's span around its protocol's), and ours may be around theirs or inside. So
each span in a task inherits its place from the one above: what was counted there already.
"""

from __future__ import annotations

import json
import weakref
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Span as AnySpan
from opentelemetry.trace import StatusCode

from otel_agentops import _coerce, _foreign
from otel_agentops import scope as scopes
from otel_agentops._guard import guard
from otel_agentops._tool_arguments import near
from otel_agentops.operations import Attributes
from otel_agentops.scope import Run, Scope
from otel_agentops.semconv import attributes as A


class Lasting:
    """A tool execution or a retrieval of a framework, until its span ends.

    tool: None for a retrieval. known: what a `tool` or a `retrieval` inside, for the same thing, knows of it: the hash
    of the arguments, or the hashes of the documents' ids.
    """

    __slots__ = ("__weakref__", "known", "run", "tool")

    def __init__(self, run: Run, tool: str | None = None) -> None:
        self.run = run
        self.tool = tool
        self.known: list[Any] = []


class Place(NamedTuple):
    """Where in its task a span is. depth: how many agents deep. tool: what is executed; ours: our own span says so.

    around: the framework's operation that this is a part of.
    """

    run: Run | None
    depth: int
    tool: str | None = None
    ours: bool = False
    around: Lasting | None = None


_places: weakref.WeakKeyDictionary[AnySpan, Place] = weakref.WeakKeyDictionary()  # those that differ from their scope's


def place_below(span: AnySpan, scope: Scope) -> Place:
    """The place of what starts under a span, in a scope."""
    above = _places.get(span)
    if above is None or above.run is not scope.run:
        return Place(scope.run, scope.depth)
    return above._replace(depth=max(above.depth, scope.depth))


class ScopeProcessor(SpanProcessor):
    """Stamps task, traffic and rollout facts, judge and tool identities on GenAI spans that are not ours."""

    def __init__(self) -> None:
        self._lasting: weakref.WeakValueDictionary[int, Lasting] = weakref.WeakValueDictionary()  # by span id

    @guard
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        scope = scopes.current()
        ours = _foreign.is_ours(span)
        if ours and scope.run is None:
            return  # most calls of most programs: it brought its facts with it, and there is no task to have a place in
        operation = _foreign.operation_of(span)
        if operation is not None and not ours:
            if operation in _foreign.MODEL_CALLS:
                _foreign.started(span)
            _stamp(span, operation, scope)
        if scope.run is not None:
            above = place_below(trace.get_current_span(parent_context), scope)
            here = _ours(span, operation, above) if ours else self._counted(span, operation, scope.run, above)
            if here != (scope.run, scope.depth, None, False, None):
                _places[span] = here

    def _counted(self, span: Span, operation: str | None, run: Run, above: Place) -> Place:
        """The place of a foreign span, which counts where none above it stands for the same execution."""
        if operation == "execute_tool" and (name := _foreign.tool_of(span)) != above.tool:
            return above._replace(tool=name, ours=False, around=self._begin(span, Lasting(run, name)))
        if operation == "retrieval":
            return above._replace(around=self._begin(span, Lasting(run)))
        if operation in _foreign.AGENTS:
            run.agents.append(above.depth + 1)
            return above._replace(depth=above.depth + 1)
        return above

    def _begin(self, span: Span, lasting: Lasting) -> Lasting:
        self._lasting[span.get_span_context().span_id] = lasting
        return lasting

    @guard
    def on_end(self, span: ReadableSpan) -> None:
        if not self._lasting or span.context is None:
            return
        lasting = self._lasting.pop(span.context.span_id, None)
        if lasting is None:
            return
        failed = span.status.status_code is StatusCode.ERROR or A.ERROR_TYPE in (span.attributes or {})
        if lasting.tool is not None:
            lasting.run.tool_results.append(not failed)
            lasting.run.execute(lasting.known[0] if lasting.known else _arguments(span, lasting.tool))
        elif not failed and not lasting.known:
            lasting.run.retrieve(_documents(span))


def _arguments(span: ReadableSpan, tool: str) -> int | None:
    """The hash of what a framework says it called the tool with; None where it does not say it."""
    told = (span.attributes or {}).get(A.GEN_AI_TOOL_CALL_ARGUMENTS)
    return None if told is None else near(tool, told)


def _documents(span: ReadableSpan) -> list[int] | None:
    """The hashes of the ids that a framework says it found; None where it does not say them."""
    told: Any = (span.attributes or {}).get(A.GEN_AI_RETRIEVAL_DOCUMENTS)
    try:
        found = json.loads(told) if isinstance(told, str) else told
    except ValueError:
        return None
    return _coerce.documents(found) if isinstance(found, (list, tuple)) else None


def _ours(span: Span, operation: str | None, above: Place) -> Place:
    """The place of a span of ours; whoever made it counts."""
    return above._replace(tool=_foreign.tool_of(span), ours=True) if operation == "execute_tool" else above


def _stamp(span: Span, operation: str, scope: Scope) -> None:
    facts: Attributes = dict(scope.facts)
    if scope.judge is not None:
        facts.update(scope.judge.facts)
    if operation == "execute_tool":
        facts.update(_tool_facts(span))
    if facts:
        span.set_attributes(facts)


def _tool_facts(span: Span) -> Attributes:
    """The hash under which the tool was offered to a model in this scope, where it is known."""
    learned = scopes.learned_tool(_foreign.tool_of(span))
    return {A.TOOL_HASH: learned} if learned and A.TOOL_HASH not in (span.attributes or {}) else {}


_stamped: weakref.WeakSet[Any] = weakref.WeakSet()


@guard
def stamp_spans_of(provider: Any) -> None:
    """Add a `ScopeProcessor` to a tracer provider, once; one that takes no processors is left alone."""
    if hasattr(provider, "add_span_processor") and provider not in _stamped:
        _stamped.add(provider)
        provider.add_span_processor(ScopeProcessor())
