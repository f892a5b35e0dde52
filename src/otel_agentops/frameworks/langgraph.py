"""LangGraph, and the agents of LangChain, which are graphs: each run of a graph is a task or an agent of one.

`invoke` and `ainvoke` read `stream` and `astream`, which is then the same run:
https://github.com/langchain-ai/langgraph/blob/main/libs/langgraph/langgraph/pregel/main.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from otel_agentops import _patching
from otel_agentops._context import Scope, current_scope
from otel_agentops._derive import name_error
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._retries import NODE, StepRetry
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.frameworks._langchain_tracers import OFFICIAL, find_tracers
from otel_agentops.frameworks._retried_steps import RetriedStep, expect_retry
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


def _begin_node(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> RetriedStep | None:
    """Enter a node that a policy of its own or of the graph retries; any other is left alone."""
    task, policies = args[0] if args else kwargs["task"], args[1] if len(args) > 1 else kwargs["retry_policy"]
    scope = current_scope()
    if not library.active or scope.task is None or not (task.retry_policy or policies):
        return None
    return RetriedStep(scope, StepRetry(NODE))


def _begin_check(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> StepRetry | None:
    return current_scope().step_retry if library.active else None


def _see_failure(node: StepRetry, should_retry: bool, args: Arguments, kwargs: Keywords) -> None:
    """Count that the node is entered again, unless that was its last attempt."""
    policy, error = args
    if not should_retry:
        return
    node.failure_count += 1
    task = current_scope().task
    if node.failure_count < policy.max_attempts and task is not None:
        node.cause = name_error(error)
        get_default().retries.retry_node(task)


def _begin_complaint(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Scope | None:
    return current_scope() if library.active else None


def _see_complaint(scope: Scope, answer: tuple[bool, str], args: Arguments, kwargs: Keywords) -> None:
    """Expect that the model is asked again, if the agent tells it that its structured output is not valid."""
    should_retry, _ = answer
    if should_retry:
        expect_retry(scope)


GRAPH = ("langgraph.pregel.main", "Pregel")
RUNNER = "langgraph.pregel._runner"
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
        Target(RUNNER, "", "run_with_retry", wrap_call(Around(_begin_node)), ("task", "retry_policy")),
        Target(RUNNER, "", "arun_with_retry", wrap_call(Around(_begin_node), is_async=True), ("task", "retry_policy")),
        Target("langgraph.pregel._retry", "", "_should_retry_on", wrap_step(Around(_begin_check, _see_failure))),
        # Of `create_agent`: https://github.com/langchain-ai/langchain/blob/master/libs/langchain_v1/langchain/agents
        Target(
            "langchain.agents.factory",
            "",
            "_handle_structured_output_error",
            wrap_step(Around(_begin_complaint, _see_complaint)),
            optional=True,
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
