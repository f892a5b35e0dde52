"""Receipts: the facts of a task, kept with its result until the truth about it is known."""

from __future__ import annotations

from otel_agentops._context import Scope
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A


def read_identities(scope: Scope) -> Attributes:
    """Return who asked, and the identities that the scope's task has seen last."""
    task = scope.task
    if task is None:
        return dict(scope.facts)
    facts: Attributes = {**scope.facts, **task.facts}
    if task.indexes:
        facts[A.RETRIEVAL_INDEXES] = task.distinct_indexes()
    if values := task.list_values():
        facts[A.TASK_VALUES] = values
    return facts


def read_receipt(scope: Scope, totals: Attributes | None = None) -> Attributes:
    """Return the identities with everything that a proxy is computed from.

    totals: the sums of a task that has ended; None for those so far.
    """
    identities = read_identities(scope)
    task = scope.task
    if task is None:
        return identities
    return {**identities, **task.root_facts, **task.judge_facts, **(totals or task.sum_up())}
