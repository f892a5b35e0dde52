"""The verbs for code that nobody wraps: what the application alone can say about its run.

Each verb is a context manager and a decorator, for sync and async code alike:

    with task("support") as run:              @tool("lookup_order", effect="read")
        ...                                    async def lookup_order(order_id: str) -> dict: ...
        run.outcome("completed")

Nothing here raises for telemetry's sake, and no content is recorded: prompts and schemas are hashed, documents are
counted. Where no SDK is configured a verb costs about ten microseconds and emits nothing.
"""

from __future__ import annotations

from otel_agentops.helpers._change import change
from otel_agentops.helpers._judge import judge
from otel_agentops.helpers._outcome import outcome
from otel_agentops.helpers._output import output
from otel_agentops.helpers._prompt import prompt
from otel_agentops.helpers._retrieval import retrieval
from otel_agentops.helpers._task import task
from otel_agentops.helpers._tool import tool

__all__ = ["change", "judge", "outcome", "output", "prompt", "retrieval", "task", "tool"]
