"""Strands Agents: each run of an agent, a graph or a swarm is a task or an agent of one.

The library traces itself as soon as there is a global tracer provider, so its spans of models and tools are enriched.
Patched is `stream_async`, which the other ways to run one read:
https://github.com/strands-agents/sdk-python/blob/main/src/strands/agent/agent.py
"""

from __future__ import annotations

from collections.abc import Mapping

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._runs import INTERRUPTED, Run, wrap_block
from otel_agentops.frameworks._strands_models import TARGET as MODELS

# Of results, by reasons of agents and states of graphs and swarms; what is not named here is an answer.
_OUTCOMES = {
    "cancelled": "cancelled",
    "checkpoint": INTERRUPTED,
    "interrupt": INTERRUPTED,
    "interrupted": INTERRUPTED,
    "failed": "failed",
    "limit_output_tokens": "failed",
    "limit_total_tokens": "failed",
    "limit_turns": "failed",
}


def read_run(args: Arguments, kwargs: Keywords) -> Run:
    """Read the agent's name, or the id of a graph or swarm, and the session that a manager keeps."""
    agent = args[0]
    # Without a manager the library makes up an id for each object, which is no conversation.
    manager = getattr(agent, "_session_manager", None) or getattr(agent, "session_manager", None)
    name = getattr(agent, "name", None) or agent.id
    return Run(name, conversation_id=getattr(manager, "session_id", None), has_native_span=True)


def tell_event(run: Run, event: object) -> None:
    """Tell how the run ended, if this is its result."""
    result = event.get("result") if isinstance(event, Mapping) else None
    if result is None:
        return
    reason = getattr(result, "stop_reason", None) or getattr(getattr(result, "status", None), "value", None)
    outcome = _OUTCOMES.get(str(reason))
    if outcome is not None:
        run.end_as(outcome, str(reason) if outcome == "failed" else None)


_STREAM = wrap_block(read_run, "async_iterator", tell_event)
LIBRARY = PatchedLibrary(
    "strands-agents",
    ">=1.40,<2",
    (
        Target("strands.agent.agent", "Agent", "stream_async", _STREAM),
        Target("strands.multiagent.graph", "Graph", "stream_async", _STREAM),
        Target("strands.multiagent.swarm", "Swarm", "stream_async", _STREAM),
        MODELS,
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a run of an agent, a graph or a swarm)",
            "chat (a model whose provider has no client here)",
        ),
        native="on if there is a global tracer provider: its spans are below ours, and get what they lack",
        not_covered=("`bidi` agents", "A2A agents: they run on a server"),
        one_line=("the name of the task: `name=` of the agent",),
        unknown=("tools without its own tracing",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_strands`."""

    libraries = (LIBRARY,)


StrandsInstrumentor = Instrumentor  # the name that others give theirs
