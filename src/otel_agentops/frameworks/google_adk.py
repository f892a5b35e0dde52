"""Google ADK: each invocation of a runner is a task, or an agent of one.

The library traces itself as soon as there is a global tracer provider, so its spans of models and tools are enriched.
Patched is `run_async`, which `run` reads in a thread of its own:
https://github.com/google/adk-python/blob/main/src/google/adk/runners.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._google_adk_models import TARGET as MODELS
from otel_agentops.frameworks._runs import INTERRUPTED, Run, wrap_block


def read_run(args: Arguments, kwargs: Keywords) -> Run:
    """Read the name of the root agent, the session and the user."""
    runner = args[0]
    name = getattr(runner.agent, "name", None) or runner.app_name
    return Run(name, conversation_id=kwargs.get("session_id"), user=kwargs.get("user_id"), has_native_span=True)


def tell_event(run: Run, event: object) -> None:
    """Tell that the run waits for the answer of a long-running tool, or of somebody who is to confirm one."""
    if getattr(event, "long_running_tool_ids", None):
        run.end_as(INTERRUPTED)


LIBRARY = PatchedLibrary(
    "google-adk",
    ">=2.10,<3",
    (
        Target(
            "google.adk.runners",
            "Runner",
            "run_async",
            wrap_block(read_run, "async_iterator", tell_event),
            ("session_id",),
        ),
        MODELS,
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (an invocation of a runner)",
            "chat (a model whose provider has no client here)",
        ),
        native="on if there is a global tracer provider: its spans are below ours, and get what they lack",
        not_covered=("`run_live`",),
        # After parallel calls, each of which has a span, one says what they answered together.
        foreign_spans=ForeignSpans(operations_by_name={"execute_tool (merged)": "merged"}),
        unknown=("tools without its own tracing",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_google_adk`."""

    libraries = (LIBRARY,)


GoogleADKInstrumentor = Instrumentor  # the name that others give theirs
