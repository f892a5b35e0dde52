"""Hashes of the tools that were offered to a model, for the `execute_tool` spans that follow in the same scope.

They are learned from the inference call's wire body, so that no framework adapter is needed for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from otel_agentops._context import current_scope
from otel_agentops.task_totals import TaskTotals

_MAX_TOOLS = 1000  # hashes that are kept outside of any task
_HASHES: ContextVar[Mapping[str, str] | None] = ContextVar("otel_agentops.tools", default=None)


def learn_tools(hashes: Mapping[str, str], task: TaskTotals | None) -> None:
    """Keep tool name -> hash for the tool calls that follow: in the task, else in this context alone."""
    if task is not None:
        task.tool_hashes.update(hashes)
        return
    known = _HASHES.get() or {}
    if not hashes.items() <= known.items():
        _HASHES.set({**known, **hashes} if len(known) < _MAX_TOOLS else dict(hashes))


def find_tool_hash(name: str) -> str | None:
    """Return the hash under which a tool was last offered to a model here; None if that is unknown."""
    task = current_scope().task
    known = task.tool_hashes if task is not None else _HASHES.get()
    return known.get(name) if known else None


def forget_tools() -> None:
    """Forget the hashes that are kept in this context outside of any task."""
    _HASHES.set(None)
