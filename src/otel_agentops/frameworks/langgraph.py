"""LangGraph, and the agents of LangChain, which are graphs: each run of a graph is a task or an agent of one.

`invoke` and `ainvoke` read `stream` and `astream`, which is then the same run:
https://github.com/langchain-ai/langgraph/blob/main/libs/langgraph/langgraph/pregel/main.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._langchain_tracers import OFFICIAL, find_tracers
from otel_agentops.frameworks._runs import INTERRUPTED, Run, current_run, wrap_block

_CONFIG_POSITION = 2  # of `config` in `stream`, the graph included


class Graph(Protocol):
    """A compiled graph."""

    name: str
    config: Mapping[str, object] | None


def read_call(args: Arguments, kwargs: Keywords) -> Run:
    """Read the name of the graph, and the thread that its checkpoints are kept under."""
    from langgraph.errors import GraphBubbleUp  # an interrupt, or a command for the graph around: no failure

    graph: Graph = args[0]
    config = kwargs.get("config", args[_CONFIG_POSITION] if len(args) > _CONFIG_POSITION else None)
    thread = find_thread(config) or find_thread(graph.config)
    run = Run(graph.name, conversation_id=thread, pauses=(GraphBubbleUp,))
    run.expected = graph
    return run


def read_stream(args: Arguments, kwargs: Keywords) -> Run | None:
    """Read the same of a stream; None if `invoke` of the graph reads it."""
    outer = current_run()
    if outer is not None and outer.expected is args[0]:
        outer.expected = None
        return None
    run = read_call(args, kwargs)
    run.expected = None
    run.is_current = OFFICIAL not in find_tracers()
    return run


def find_thread(config: Mapping[str, object] | None) -> object:
    """Return the id of the conversation; None if the run keeps none."""
    configurable = config.get("configurable") if isinstance(config, Mapping) else None
    return configurable.get("thread_id") if isinstance(configurable, Mapping) else None


def _begin_exit(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Run | None:
    return current_run() if library.active else None


def _see_interrupt(run: Run, is_suppressed: bool | None, args: Arguments, kwargs: Keywords) -> None:
    """Tell that the run waits for somebody: the library swallows the exception that says so."""
    if is_suppressed:
        run.end_as(INTERRUPTED)


GRAPH = ("langgraph.pregel.main", "Pregel")
LIBRARY = PatchedLibrary(
    "langgraph",
    ">=1.0,<2",
    (
        Target(*GRAPH, "invoke", wrap_block(read_call, "call"), ("config",)),
        Target(*GRAPH, "ainvoke", wrap_block(read_call, "coroutine"), ("config",)),
        Target(*GRAPH, "stream", wrap_block(read_stream, "iterator"), ("config",)),
        Target(*GRAPH, "astream", wrap_block(read_stream, "async_iterator"), ("config",)),
        Target(
            "langgraph.pregel._loop",
            "PregelLoop",
            "_suppress_interrupt",
            wrap_step(Around(_begin_exit, _see_interrupt)),
        ),
    ),
    ClientInfo(
        operations=("invoke_workflow or invoke_agent (a run of a graph)",),
        not_covered=(
            "`RemoteGraph`: it runs on a server",
            "functional API entry points are graphs, their tasks no agents",
        ),
        one_line=("the name of the task: `compile(name='support')`",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_langgraph`."""

    libraries = (LIBRARY,)


LangGraphInstrumentor = Instrumentor  # the name that others give theirs
