"""LangChain: each run of a tool is one execution, in an agent, a graph or by itself.

Patched is the base class of all tools, whose subclasses write what happens inside:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/tools/base.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._runs import wrap_block
from otel_agentops.helpers import tool

_PAUSE = "GraphBubbleUp"  # of langgraph: an interrupt in a tool, or a command for the graph around


class ToolRun(tool):
    """One run of a tool of LangChain, which may stop the graph around without having failed."""

    def exit_block(self, error: BaseException | None) -> None:
        """End the run: a command for the graph is no failure."""
        is_pause = any(kind.__name__ == _PAUSE for kind in type(error).__mro__)
        super().exit_block(None if is_pause else error)


def read_run(args: Arguments, kwargs: Keywords) -> ToolRun:
    """Read the tool, and the arguments that the model gave it."""
    instance = args[0]
    arguments = args[1] if len(args) > 1 else kwargs.get("tool_input")
    # A model whose client is observed told how the tool was offered.
    offer = {} if find_tool_hash(instance.name) else read_offer(instance)
    return ToolRun(
        instance.name,
        schema=offer.get("parameters"),
        description=offer.get("description"),
        call_id=kwargs.get("tool_call_id"),
        arguments=arguments,
    )


def read_offer(instance: Any) -> Mapping[str, Any]:
    """Return name, description and parameters of a tool, as LangChain offers it to most models."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    offer: Mapping[str, Any] = convert_to_openai_tool(instance)["function"]
    return offer


def tell_result(run: ToolRun, result: object) -> None:
    """Tell the result: the message for the model says if an error was handled."""
    if getattr(result, "status", None) == "error":
        run.fail()
    run.record_result(getattr(result, "content", result))


TOOL = ("langchain_core.tools.base", "BaseTool")
LIBRARY = PatchedLibrary(
    "langchain-core",
    ">=1.0,<2",
    (
        Target(*TOOL, "run", wrap_block(read_run, "call", tell_result), ("tool_input", "tool_call_id")),
        Target(*TOOL, "arun", wrap_block(read_run, "coroutine", tell_result), ("tool_input", "tool_call_id")),
    ),
    ClientInfo(
        operations=("execute_tool (`BaseTool.run` and `arun`, which `invoke` and `ainvoke` call)",),
        not_covered=("chains that are no graph: they run no agent",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_langchain_core`."""

    libraries = (LIBRARY,)


LangChainInstrumentor = Instrumentor  # the name that others give theirs
