"""smolagents: each run of an agent is a task or an agent of one, and each call of a tool an execution.

Patched are the steps of a run, which `run` reads with and without a stream, and the base class of all tools, which is
the one place that an agent which writes code calls as well:
https://github.com/huggingface/smolagents/blob/main/src/smolagents/agents.py
https://github.com/huggingface/smolagents/blob/main/src/smolagents/tools.py
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._runs import Run, wrap_block
from otel_agentops.frameworks._smolagents_models import TARGET as MODELS
from otel_agentops.helpers import tool

FINAL_ANSWER = "final_answer"  # the tool that is no more than a way to end


class AgentRun(Run):
    """One run of an agent, which an application may stop by `interrupt`."""

    def __init__(self, agent: Any) -> None:
        super().__init__(agent.name or type(agent).__name__)
        self.agent = agent

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if error is not None and self.agent.interrupt_switch:
            self.end_as("cancelled")
        super().exit_block(error)


def read_run(args: Arguments, kwargs: Keywords) -> AgentRun:
    """Read the agent, which is known by its class if the program gave it no name."""
    return AgentRun(args[0])


def tell_step(run: AgentRun, step: object) -> None:
    """Tell that the steps were too few, which the answer that is made of them does not say."""
    steps = run.agent.memory.steps
    error = type(getattr(steps[-1], "error", None)) if steps else None
    if type(step).__name__ == "FinalAnswerStep" and error is not None and error.__name__ == "AgentMaxStepsError":
        run.end_as("failed", f"{error.__module__}.{error.__name__}")


def read_tool(args: Arguments, kwargs: Keywords) -> tool | None:
    """Read a tool and its arguments, by name; None for one that is no execution of its own."""
    from smolagents.models import get_tool_json_schema

    instance: Any = args[0]
    # The client of MCP tells more of the tools of a server.
    if instance.name == FINAL_ANSWER or type(instance).__module__.startswith("mcpadapt"):
        return None
    arguments = {key: value for key, value in kwargs.items() if key != "sanitize_inputs_outputs"}
    if len(args) == 2 and not arguments and isinstance(args[1], dict):
        arguments = args[1]
    else:
        arguments.update(zip(instance.inputs, args[1:], strict=False))
    # A model whose client is observed told how the tool was offered; who writes code gets it as a text.
    offer = {} if find_tool_hash(instance.name) else get_tool_json_schema(instance)["function"]
    return tool(
        instance.name,
        schema=offer.get("parameters"),
        description=offer.get("description"),
        output_schema=getattr(instance, "output_schema", None) if offer else None,
        arguments=arguments,
    )


def tell_output(run: tool, result: object) -> None:
    """Tell the output of a tool."""
    run.record_result(result)


def keep_context(original: Method, library: PatchedLibrary) -> Method:
    """Return `timeout`, which runs code in another thread, so that the tools that it calls are in their task."""

    def timeout(*args: Any, **kwargs: Any) -> Callable[[Method], Method]:
        limit = original(*args, **kwargs)

        def decorate(function: Method) -> Method:
            @functools.wraps(function)
            def call(*call_args: Any, **call_kwargs: Any) -> Any:
                run = functools.partial(copy_context().run, function) if library.active else function
                return limit(functools.wraps(function)(run))(*call_args, **call_kwargs)

            return call

        return decorate

    return timeout


LIBRARY = PatchedLibrary(
    "smolagents",
    ">=1.24,<2",
    (
        Target("smolagents.agents", "MultiStepAgent", "_run_stream", wrap_block(read_run, "iterator", tell_step)),
        Target("smolagents.tools", "Tool", "__call__", wrap_block(read_tool, "call", tell_output)),
        MODELS,
        Target("smolagents.local_python_executor", "", "timeout", keep_context, ("timeout_seconds",)),
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a run of an agent)",
            "execute_tool",
            "chat (a model whose provider has no client here)",
        ),
        not_covered=("tools in a remote executor: they run elsewhere",),
        one_line=("the name of the task: `name=` of the agent",),
        unknown=("the ids of tool calls",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_smolagents`."""

    libraries = (LIBRARY,)


SmolagentsInstrumentor = Instrumentor  # the name that others give theirs
