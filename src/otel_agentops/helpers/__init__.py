"""The verbs for code that no instrumentation covers, and for facts that the application alone knows.

Each verb is a context manager and a decorator, for sync and async code alike:

    with task("support") as run:              @tool("lookup_order", effect="read")
        ...                                    async def lookup_order(order_id: str) -> dict: ...
        run.outcome("completed")

A failure of telemetry never raises here, and no content is recorded: prompts and schemas are hashed, documents are
counted. Without a configured SDK a verb costs about ten microseconds and emits nothing.
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
