"""Telemetry for people who are on call for LLM features: it shows which variable moved.

`opentelemetry-instrument python app.py` needs no import of this package; `instrument()` does the same from inside a
program. The verbs are for code that no instrumentation covers: tasks, tools, retrieval, judges and outcomes that are
known late.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from otel_agentops.version import __version__

if TYPE_CHECKING:
    from otel_agentops._instrument import instrument, uninstrument
    from otel_agentops.gold import is_gold
    from otel_agentops.helpers import change, judge, outcome, output, prompt, retrieval, task, tool

__all__ = [
    "__version__", "change", "instrument", "is_gold", "judge", "outcome", "output", "prompt", "retrieval", "task",
    "tool", "uninstrument",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: every entry point imports this package, and needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "_instrument" if name.endswith("instrument") else "gold" if name == "is_gold" else "helpers"
    return globals().setdefault(name, getattr(importlib.import_module(f"{__name__}.{module}"), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
