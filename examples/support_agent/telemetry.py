"""The verbs for what no library knows. Without otel-agentops they do nothing, and the agent works the same."""

from __future__ import annotations

from typing import Any

__all__ = ["outcome", "prompt", "task", "tool"]


class _Nothing:
    """A block that does nothing, whatever is called on it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


try:
    from otel_agentops import outcome, prompt, task, tool
except ModuleNotFoundError:
    outcome = prompt = task = tool = _Nothing  # type: ignore[misc,assignment]
