"""The verbs for what nobody wraps. Where otel-agentops is not installed they are empty, and the agent is the same."""

from __future__ import annotations

from typing import Any

__all__ = ["judge", "outcome", "output", "prompt", "retrieval", "task", "tool"]


class _Nothing:
    """A block that does nothing, whatever is asked of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


try:
    from otel_agentops import judge, outcome, output, prompt, retrieval, task, tool
except ModuleNotFoundError:
    judge = outcome = output = prompt = retrieval = task = tool = _Nothing  # type: ignore[misc,assignment]
