"""Telemetry for people who are on call for LLM features: it shows which variable moved.

`opentelemetry-instrument python app.py` needs no import of this package. The verbs are for code that no
instrumentation covers: tasks, tools, retrieval, judges and outcomes that are known late.
"""

from __future__ import annotations

from otel_agentops.helpers import change, judge, outcome, output, prompt, retrieval, task, tool
from otel_agentops.version import __version__

__all__ = ["__version__", "change", "judge", "outcome", "output", "prompt", "retrieval", "task", "tool"]
