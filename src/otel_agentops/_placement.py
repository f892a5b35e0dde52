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
from otel_agentops.operations import INTERNAL, ToolCall
from otel_agentops.task_totals import TaskTotals


class Placement(NamedTuple):
    """The place of a span.

    Attributes:
        task: The task that it is part of; None outside of any.
        depth: How many agents deep.
        tool_name: The tool that is executed here; None outside of one.
        is_ours: True if a span of ours stands for that execution.
        pending: The framework's operation that this is a part of; None outside of one.
    """

    task: TaskTotals | None
    depth: int
    tool_name: str | None = None
    is_ours: bool = False
    pending: PendingForeignOperation | None = None


# The places that differ from what their scope says.
_placements: weakref.WeakKeyDictionary[Span, Placement] = weakref.WeakKeyDictionary()
# Their spans by id: if both ends of a request are in this process, the far end knows its parent by the id alone.
_placed_spans: weakref.WeakValueDictionary[int, Span] = weakref.WeakValueDictionary()


def placement_below(span: Span, scope: Scope) -> Placement:
    """Return the place of what starts under a span, in a scope."""
    context = span.get_span_context()
    above = _placements.get(_placed_spans.get(context.span_id, span) if context.is_remote else span)
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
    if placement != (scope.task, scope.depth, None, False, None):
        _placements[span] = placement
        _placed_spans[span.get_span_context().span_id] = span
