"""Which variable moved? Telemetry for people who are on call for LLM features.

`opentelemetry-instrument python app.py` needs none of this. The verbs are for what nobody wraps: tasks, tools,
retrieval, judges and late truth.
"""

from __future__ import annotations

from otel_agentops.helpers import change, judge, outcome, output, prompt, retrieval, task, tool
from otel_agentops.version import __version__

__all__ = ["__version__", "change", "judge", "outcome", "output", "prompt", "retrieval", "task", "tool"]
