"""AutoGen: each run of an agent or a team is a task or an agent of one.

The library traces itself as soon as there is a global tracer provider, so its spans of agents and tools are enriched.
Patched are the runs; `run` of a team reads its stream:
https://github.com/microsoft/autogen/blob/main/python/packages/autogen-agentchat/src/autogen_agentchat/agents/_base_chat_agent.py
"""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._autogen_models import TARGET as MODELS
from otel_agentops.frameworks._runs import INTERRUPTED, Run, wrap_block

_HANDOFF = "HandoffMessage"


def read_agent(args: Arguments, kwargs: Keywords) -> Run:
    """Read the agent's name; the library has a span for its run."""
    return Run(args[0].name, has_native_span=True)


def read_team(args: Arguments, kwargs: Keywords) -> Run:
    """Read the team's name; the library has spans for the runs of its agents alone."""
    return Run(args[0].name)


def tell_result(run: Run, item: object) -> None:
    """Tell that the run waits for whoever it was handed to, if this is its result and nobody in it took over."""
    messages = getattr(item, "messages", None)
    if messages and type(messages[-1]).__name__ == _HANDOFF:
        run.end_as(INTERRUPTED)


_AGENT = ("autogen_agentchat.agents._base_chat_agent", "BaseChatAgent")
LIBRARY = PatchedLibrary(
    "autogen-agentchat",
    ">=0.7,<0.8",
    (
        Target(*_AGENT, "run", wrap_block(read_agent, "coroutine", tell_result), ("task",)),
        Target(*_AGENT, "run_stream", wrap_block(read_agent, "async_iterator", tell_result), ("task",)),
        MODELS,
        Target(
            "autogen_agentchat.teams._group_chat._base_group_chat",
            "BaseGroupChat",
            "run_stream",
            wrap_block(read_team, "async_iterator", tell_result),
            ("task",),
        ),
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a run of an agent or a team)",
            "chat (a model whose provider has no client here)",
        ),
        native="on if there is a global tracer provider: its spans are below ours, and get what they lack",
        not_covered=("tools without its own tracing", "agents of `autogen-core` alone: they have no run"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_autogen`."""

    libraries = (LIBRARY,)


AutogenInstrumentor = Instrumentor  # the name that others give theirs
