"""The place of a span in its task: what stands above it, and whether that counts for the same execution already.

Frameworks nest spans of one thing (a tool's span around its protocol's), and ours may be around theirs or inside. So
each span in a task inherits its place from the span above.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

from opentelemetry.trace import Span, get_current_span

from otel_agentops._context import Scope
from otel_agentops._observation import Observation, PendingForeignOperation
from otel_agentops.operations import INTERNAL, INVOKE_AGENT, ToolCall
from otel_agentops.task_totals import TaskTotals


class Placement(NamedTuple):
    """The place of a span.

    Attributes:
        task: The task that it is part of; None outside of any.
        depth: How many agents deep.
        tool_name: The tool that is executed here; None outside of one.
        is_ours: True if a span of ours stands for that execution.
        pending: The framework's operation that this is a part of; None outside of one.
        surfaces: The spans of the tools and retrievals that this is a part of, the innermost last.
    """

    task: TaskTotals | None
    depth: int
    tool_name: str | None = None
    is_ours: bool = False
    pending: PendingForeignOperation | None = None
    surfaces: tuple[weakref.ref[Span], ...] = ()

    def enter_surface(self, span: Span) -> Placement:
        """Return the place of what a tool or a retrieval does; span is its own."""
        return self._replace(surfaces=(*self.surfaces, weakref.ref(span)))


# The places that differ from what their scope says.
_placements: weakref.WeakKeyDictionary[Span, Placement] = weakref.WeakKeyDictionary()
# Their spans by id: if both ends of a request are in this process, the far end knows its parent by the id alone, and
# logfire makes a wrapper of a span current that is not the span that processors see.
_placed_spans: weakref.WeakValueDictionary[int, Span] = weakref.WeakValueDictionary()


def placement_below(span: Span, scope: Scope) -> Placement:
    """Return the place of what starts under a span, in a scope."""
    above = _placements.get(_placed_spans.get(span.get_span_context().span_id, span))
    if above is None or above.task is not scope.task:
        return Placement(scope.task, scope.depth)
    return above._replace(depth=max(above.depth, scope.depth))


def locate(observation: Observation) -> None:
    """Set where in its task a tool call or a retrieval is, and if something around it counts for it."""
    above = placement_below(get_current_span(), observation.scope)
    observation.enclosing = above.pending
    operation = observation.operation
    if isinstance(operation, ToolCall):
        # Inside our own span of a tool a call of MCP is the same execution; a helper inside it is another.
        is_another = above.is_ours and operation.span_kind == INTERNAL
        observation.is_counted = is_another or above.tool_name != operation.name


def place_span(span: Span, placement: Placement, scope: Scope) -> None:
    """Remember the place of a span if it is not what the scope says anyway."""
    if placement != (scope.task, scope.depth, None, False, None, ()):
        _placements[span] = placement
        _placed_spans[span.get_span_context().span_id] = span


def find_placement(span_id: int) -> Placement | None:
    """Return the place of a span in this process; None if it is not known, or is what its scope says."""
    span = _placed_spans.get(span_id)
    return None if span is None else _placements.get(span)


# Spans of executions that a framework asked for: a call of the same tool inside is a part of them.
_framework_executions: weakref.WeakSet[Span] = weakref.WeakSet()


def adopt_execution(span: Span, tool_name: str, scope: Scope) -> None:
    """Let the span of a tool, ours or one that we enrich, stand for the framework's execution."""
    _framework_executions.add(span)
    if scope.task is not None:
        place_span(span, placement_below(span, scope)._replace(tool_name=tool_name, is_ours=False), scope)
        adopt_surface(span, scope)


def adopt_surface(span: Span, scope: Scope) -> None:
    """Let the span of a tool or a retrieval, that we enrich, be what the requests inside are a part of."""
    place = placement_below(span, scope)
    if scope.task is not None and not any(surface() is span for surface in place.surfaces):
        place_span(span, place.enter_surface(span), scope)


def stands_for_framework(span: Span) -> bool:
    """Return True if a span was adopted by `adopt_execution`."""
    return span in _framework_executions


# Our spans of runs of which the framework may have a span of its own, and its unnamed spans between the two; a run's
# spans share one token, which that span takes.
_awaiting_native_span: weakref.WeakKeyDictionary[Span, list[bool]] = weakref.WeakKeyDictionary()


def await_native_span(span: Span) -> None:
    """Take the framework's first agent span below this span of ours for the same run."""
    _awaiting_native_span[span] = [True]


def is_same_run(span: Span, parent: Span, operation: str | None) -> bool:
    """Return True if a framework's span is of the same run as a span that was passed to `await_native_span`.

    That holds for its first agent span, and for the span of a workflow between the two.
    """
    token = _awaiting_native_span.get(parent)
    if not token:
        return False
    if operation == INVOKE_AGENT:
        token.clear()
    else:
        _awaiting_native_span[span] = token
    return operation is not None
