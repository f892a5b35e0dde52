"""CrewAI: each run of a crew, a flow or a lone agent is a task, its agents are agents, each tool an execution.

Patched are the methods that the others end in; a crew that streams runs in a thread that has the reader's context:
https://github.com/crewAIInc/crewAI/blob/main/lib/crewai/src/crewai/crew.py
https://github.com/crewAIInc/crewAI/blob/main/lib/crewai/src/crewai/tools/base_tool.py
"""

from __future__ import annotations

import inspect
from typing import Any

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans, is_inside_tool
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Keywords, list_wrapper_modules
from otel_agentops.frameworks._crewai_models import TARGET as MODELS
from otel_agentops.frameworks._runs import INTERRUPTED, Run, wrap_block
from otel_agentops.helpers import tool


def read_run(args: Arguments, kwargs: Keywords) -> Run | None:
    """Read the name of a crew or a flow; None for a stream, whose run is a call of its own inside."""
    runs: Any = args[0]
    return None if runs.stream else Run(runs.name or type(runs).__name__)


def read_flow(args: Arguments, kwargs: Keywords) -> Run | None:
    """Read the name of a flow of the application; None for the library's own, of which an agent is made."""
    return None if type(args[0]).__module__.startswith("crewai.") else read_run(args, kwargs)


def read_agent(args: Arguments, kwargs: Keywords) -> Run:
    """Read the role of an agent, as it is before the inputs of the run are put into it."""
    agent: Any = args[0]
    return Run(agent._original_role or agent.role)


def read_lone_agent(args: Arguments, kwargs: Keywords) -> Run | None:
    """Read an agent that runs by itself; None inside of a loop, where it returns the coroutine of another method."""
    from crewai.agent.core import is_inside_event_loop

    return None if is_inside_event_loop() else read_agent(args, kwargs)


def tell_result(run: Run, result: object) -> None:
    """Tell that a flow waits for somebody, which is a result."""
    if type(result).__name__ == "HumanFeedbackPending":
        run.end_as(INTERRUPTED)


def read_tool(args: Arguments, kwargs: Keywords) -> tool | None:
    """Read a tool and its arguments; None for a tool of MCP, whose client tells more."""
    from crewai.utilities.string_utils import sanitize_tool_name

    instance: Any = args[0]
    origin = getattr(instance, "_original_tool", None) or instance
    if type(origin).__module__.startswith("crewai.tools.mcp"):
        return None
    name: str = sanitize_tool_name(instance.name)  # as models are offered it
    # A model whose client is observed told how the tool was offered.
    schema = None if find_tool_hash(name) else instance.args_schema and instance.args_schema.model_json_schema()
    arguments = {**dict(zip(instance.args_schema.model_fields, args[1:], strict=False)), **kwargs}
    return tool(name, schema=schema, description=instance.description, arguments=arguments)


def read_traced_tool(args: Arguments, kwargs: Keywords) -> tool | None:
    """Read a tool that OpenInference may trace as well; None if it makes its span inside, which is then counted."""
    run = read_tool(args, kwargs)
    if run is None or is_inside_tool(run.name) or get_default().config.mode == "own":
        return run
    modules = list_wrapper_modules(inspect.getattr_static(type(args[0]), "run"))
    return None if any(module.startswith(f"{OPENINFERENCE}.") for module in modules) else run


def name_traced_tool(span_name: str) -> str:
    """Return the tool of a span of OpenInference, which is named after the tool and the method."""
    from crewai.utilities.string_utils import sanitize_tool_name

    name: str = sanitize_tool_name(span_name.rpartition(".")[0])
    return name


def read_structured_tool(args: Arguments, kwargs: Keywords) -> tool | None:
    """Read a tool that gets its arguments as one."""
    arguments = args[1] if len(args) > 1 else kwargs.get("input")
    return read_tool(args[:1], arguments if isinstance(arguments, dict) else {})


def tell_output(run: tool, result: object) -> None:
    """Tell the output of a tool."""
    run.record_result(result)


# The scopes of others.
OPENINFERENCE = "openinference.instrumentation.crewai"
OPENLLMETRY = "opentelemetry.instrumentation.crewai.instrumentation"
AGENT, CREW, FLOW = ("crewai.agent.core", "Agent"), ("crewai.crew", "Crew"), ("crewai.flow.runtime", "Flow")
BASE_TOOL, FUNCTION = ("crewai.tools.base_tool", "BaseTool"), ("crewai.tools.base_tool", "Tool")
STRUCTURED = ("crewai.tools.structured_tool", "CrewStructuredTool")
_CALL, _COROUTINE = wrap_block(read_traced_tool, "call", tell_output), wrap_block(read_tool, "coroutine", tell_output)
LIBRARY = PatchedLibrary(
    "crewai",
    ">=1.15,<2",
    (
        Target(*CREW, "kickoff", wrap_block(read_run, "call")),
        Target(*CREW, "akickoff", wrap_block(read_run, "coroutine")),
        Target(*FLOW, "kickoff_async", wrap_block(read_flow, "coroutine", tell_result)),
        Target(*AGENT, "execute_task", wrap_block(read_agent, "call")),
        Target(*AGENT, "aexecute_task", wrap_block(read_agent, "coroutine")),
        Target(*AGENT, "kickoff", wrap_block(read_lone_agent, "call")),
        Target(*AGENT, "kickoff_async", wrap_block(read_agent, "coroutine")),
        MODELS,
        Target(*BASE_TOOL, "run", _CALL),
        Target(*BASE_TOOL, "arun", _COROUTINE),
        Target(*FUNCTION, "run", _CALL, own_only=True),
        Target(*FUNCTION, "arun", _COROUTINE, own_only=True),
        Target(*STRUCTURED, "invoke", wrap_block(read_structured_tool, "call", tell_output), ("input",)),
        Target(*STRUCTURED, "ainvoke", wrap_block(read_structured_tool, "coroutine", tell_output), ("input",)),
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a crew, a flow, an agent)",
            "execute_tool",
            "chat (a model whose provider has no client here)",
        ),
        one_line=("the name of the task: `name=` of the crew",),
        unknown=(
            "the ids of tool calls",
            "failures that a tool returns as a text",
            "a run that ran out of iterations",
        ),
        foreign_spans=ForeignSpans(
            run_scopes=frozenset({OPENINFERENCE, OPENLLMETRY}), tool_names={OPENINFERENCE: name_traced_tool}
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_crewai`."""

    libraries = (LIBRARY,)


CrewAIInstrumentor = Instrumentor  # the name that others give theirs
