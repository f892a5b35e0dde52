"""DSPy: the outermost call of a module is a task, each ReAct loop inside is an agent of it, each tool an execution.

Patched are the base classes, whose calls every module and tool makes. A callback would be lost: `dspy.configure` of the
application replaces the list of all callbacks.
https://github.com/stanfordnlp/dspy/blob/main/dspy/primitives/module.py
https://github.com/stanfordnlp/dspy/blob/main/dspy/adapters/types/tool.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_agentops import _patching
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks import _dspy_models
from otel_agentops.frameworks._dspy_client import TARGETS
from otel_agentops.frameworks._runs import Run, ToolRun, current_run, keep_scope, wrap_block

FINISH = "finish"  # the tool that is no more than a way to end
AGENT = "dspy.predict.react.ReAct"  # the module that is a loop of a model and tools
_UNNAMED_SIGNATURE = "StringSignature"  # of a module that is described by a text


class ProgramRun(Run):
    """One call of a module by the application, or of an agent inside of one."""


def read_call(args: Arguments, kwargs: Keywords) -> ProgramRun | None:
    """Read the name of a module; None for a part of a program that is no agent."""
    module = args[0]
    if isinstance(current_run(), ProgramRun) and not _is_agent(module):
        return None
    return ProgramRun(_name_module(module))


def _is_agent(module: Any) -> bool:
    return any(f"{base.__module__}.{base.__name__}" == AGENT for base in type(module).__mro__)


def _name_module(module: Any) -> str:
    """Return the class that the program wrote: of the module, else of its signature, else the library's."""
    signature = getattr(getattr(module, "signature", None), "__name__", _UNNAMED_SIGNATURE)
    kind = type(module)
    return kind.__name__ if signature == _UNNAMED_SIGNATURE or not kind.__module__.startswith("dspy.") else signature


def read_tool(args: Arguments, kwargs: Keywords) -> ToolRun | None:
    """Read a tool and its arguments; None for one that is no execution of its own."""
    instance = args[0]
    # The client of MCP tells more of the tools of a server.
    if instance.name == FINISH or str(getattr(instance.func, "__module__", None)) == "dspy.utils.mcp":
        return None
    # A model whose client is observed told how the tool was offered; most get it as a text.
    offer = {} if find_tool_hash(instance.name) else instance.format_as_litellm_function_call()["function"]
    return ToolRun(
        instance.name, schema=offer.get("parameters"), description=offer.get("description"), arguments=kwargs
    )


def tell_output(run: ToolRun, result: object) -> None:
    """Tell the output of a tool."""
    run.record_result(result)


def keep_task(original: Method, library: PatchedLibrary) -> Method:
    """Return `execute`, which calls a function in other threads, so that each call is in the task of its caller."""

    def execute(executor: Any, function: Callable[..., Any], data: Any) -> Any:
        return original(executor, keep_scope(function) if library.active else function, data)

    return execute


MODULE, TOOL = ("dspy.primitives.module", "Module"), ("dspy.adapters.types.tool", "Tool")
LIBRARY = PatchedLibrary(
    "dspy",
    ">=3.0,<4",
    (
        Target(*MODULE, "__call__", wrap_block(read_call, "call")),
        Target(*MODULE, "acall", wrap_block(read_call, "coroutine")),
        Target(*TOOL, "__call__", wrap_block(read_tool, "call", tell_output)),
        Target(*TOOL, "acall", wrap_block(read_tool, "coroutine", tell_output)),
        Target("dspy.utils.parallelizer", "ParallelExecutor", "execute", keep_task, ("function", "data")),
        *TARGETS,
        *_dspy_models.TARGETS,
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a program, a ReAct loop)",
            "execute_tool",
            "chat, without litellm; chat (a model or an engine of yours)",
        ),
        not_covered=("`ToolCalls.ToolCall.execute`: it calls the function, not the tool",),
        one_line=(
            "the name of the task: a module or a signature that is a class",
            "effect and tier of a tool: `@tool('name', effect='read')` on its function",
        ),
        unknown=(
            "the ids of tool calls",
            "a ReAct loop that ran out of iterations",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_dspy`."""

    libraries = (LIBRARY,)


DSPyInstrumentor = Instrumentor  # the name that others give theirs
