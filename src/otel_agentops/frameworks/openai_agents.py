"""OpenAI Agents SDK: each run is a task or an agent of one, each function tool an execution, a `trace` block a task.

Patched are the runner, which `Runner` and `Agent.as_tool` call, and the invocation of a function tool. The SDK's own
tracing is not needed, and may be turned off:
https://github.com/openai/openai-agents-python/blob/main/src/agents/run.py
https://github.com/openai/openai-agents-python/blob/main/src/agents/run_internal/tool_execution.py
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from contextvars import ContextVar
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._context import current_scope
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._openai_agents_models import TARGET as MODELS
from otel_agentops.frameworks._runs import INTERRUPTED, Run, current_run, wrap_block
from otel_agentops.helpers import tool
from otel_agentops.helpers._observed import error_type_of

_SETTINGS = ("workflow_name", "group_id")  # of a `RunConfig`
UNNAMED_WORKFLOW = "Agent workflow"  # the default of the first


class StreamedResult(Protocol):
    """A `RunResultStreaming`, which the run goes on filling while the application reads."""

    interruptions: list[Any]
    current_turn: int
    max_turns: int | None
    final_output: Any
    input_guardrail_results: list[Any]


class AgentRun(Run):
    """One run; an agent that it hands off to is an agent of it, until the next hand-off or the end."""

    def __init__(self, name: str, conversation_id: object, streamed: StreamedResult | None = None) -> None:
        super().__init__(name, conversation_id=conversation_id)
        self.streamed = streamed
        self.workflow = current_run()
        self._has_agent = False
        self._agent: HandedOffRun | None = None

    def begin_agent(self, name: str) -> None:
        """Begin an agent that the run was handed to; the first one is the run itself."""
        if self._has_agent:
            self._end_agent(None)
            self._agent = HandedOffRun(name, self)
            self._agent.__enter__()
        self._has_agent = True

    def _end_agent(self, error: BaseException | None) -> None:
        if self._agent is not None:
            self._agent.__exit__(None if error is None else type(error), error, None)
            self._agent = None

    @override
    def exit_block(self, error: BaseException | None) -> None:
        self._end_agent(error)
        super().exit_block(error)


class HandedOffRun(Run):
    """The part of a run that another agent does."""

    def __init__(self, name: str, whole: AgentRun) -> None:
        super().__init__(name)
        self.whole = whole


class Workflow(Run):
    """A `trace` block of the application, with the runs inside."""

    def tell_run(self, is_interrupted: bool) -> None:
        """Tell how a run inside ended: the last one decides if the block waits for somebody."""
        self._outcome = INTERRUPTED if is_interrupted else None


class FunctionRun(tool):
    """One run of a function tool, whose failures the runner hides from us: it tells them to the model."""

    @override
    def enter_block(self, stack: ExitStack) -> None:
        super().enter_block(stack)
        stack.callback(_TOOL.reset, _TOOL.set(self))


_TOOL: ContextVar[FunctionRun | None] = ContextVar("otel_agentops.openai_agents.tool", default=None)


def read_run(args: Arguments, kwargs: Keywords) -> AgentRun:
    """Read the name of a run, and where its conversation is kept."""
    arguments = {**dict(zip(("self", "starting_agent"), args, strict=False)), **kwargs}
    config, name = arguments.get("run_config"), arguments["starting_agent"].name
    settings = config if isinstance(config, dict) else {key: getattr(config, key, None) for key in _SETTINGS}
    workflow = settings.get("workflow_name") or UNNAMED_WORKFLOW
    if workflow != UNNAMED_WORKFLOW and current_scope().task is None:
        name = workflow
    conversation_id = arguments.get("conversation_id")
    with suppress(ValueError):  # a session at the provider has no id before its first request
        conversation_id = conversation_id or getattr(arguments.get("session"), "session_id", None)
    return AgentRun(name, conversation_id or settings.get("group_id"), arguments.get("streamed_result"))


def read_shared_run(args: Arguments, kwargs: Keywords) -> AgentRun:
    """Read a run from the arguments of a method that is bound to its runner."""
    return read_run((None, *args), kwargs)


def tell_result(run: AgentRun, result: Any) -> None:
    """Tell how a run ended that raised nothing; a stream keeps for its reader what ended it."""
    if (streamed := run.streamed) is not None:
        result = streamed
        if error_type := _find_hidden_error(streamed):
            run.end_as("failed", error_type)
        elif streamed.final_output is None and getattr(streamed, "_cancel_mode", "none") != "none":
            run.end_as("cancelled")
    if result.interruptions:
        run.end_as(INTERRUPTED)
    if isinstance(run.workflow, Workflow):
        run.workflow.tell_run(bool(result.interruptions))


def _find_hidden_error(streamed: StreamedResult) -> str | None:
    if error := getattr(streamed, "_stored_exception", None):
        return error_type_of(error)
    if any(result.output.tripwire_triggered for result in streamed.input_guardrail_results):
        return "agents.exceptions.InputGuardrailTripwireTriggered"
    is_over = streamed.max_turns is not None and streamed.current_turn > streamed.max_turns
    return "agents.exceptions.MaxTurnsExceeded" if is_over else None


def _see_agent(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Begin the agent for which the runner makes a span, a disabled one for that matter."""
    run = current_run()
    run = run.whole if isinstance(run, HandedOffRun) else run
    if library.active and isinstance(run, AgentRun):
        run.begin_agent(kwargs["name"])


# -- blocks of the application

_WORKFLOWS: WeakKeyDictionary[Any, Workflow] = WeakKeyDictionary()  # by trace, which has no name if it is disabled


def _begin_trace(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Workflow | None:
    arguments = {**dict(zip(("self", "name", "trace_id", "group_id"), args, strict=False)), **kwargs}
    return Workflow(arguments["name"], conversation_id=arguments.get("group_id")) if library.active else None


def _remember_trace(workflow: Workflow, trace: Any, args: Arguments, kwargs: Keywords) -> None:
    _WORKFLOWS[trace] = workflow


def _enter_trace(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    # The runner starts its traces without a block.
    if library.active and (workflow := _WORKFLOWS.get(args[0])) is not None:
        workflow.__enter__()


def _exit_trace(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    if (workflow := _WORKFLOWS.pop(args[0], None)) is not None:
        workflow.__exit__(*args[1:4])


# -- tools


def read_tool(args: Arguments, kwargs: Keywords) -> FunctionRun | None:
    """Read a function tool and its call; None for a tool of MCP, whose client tells more."""
    function, context = kwargs["function_tool"], kwargs["context"]
    origin = getattr(function, "_tool_origin", None)
    if origin is not None and origin.type == "mcp":
        return None
    # A model whose client is observed told how the tool was offered.
    is_offered = find_tool_hash(function.name) is not None
    return FunctionRun(
        function.name,
        schema=None if is_offered else function.params_json_schema,
        description=function.description,
        call_id=context.tool_call_id,
        arguments=kwargs["arguments"],
    )


def tell_output(run: FunctionRun, result: Any) -> None:
    """Tell the output of a tool."""
    run.record_result(result.output if type(result).__name__ == "_FunctionToolInvocationResult" else result)


def _see_failure(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Tell the error that is about to become a text for the model: of the tool, or that it took too long."""
    if library.active and (run := _TOOL.get()) is not None:
        run.fail(error_type_of(kwargs.get("error") or args[0]) or "tool_error")


RUNNER, TOOLS = "agents.run", "agents.run_internal.tool_execution"
_AGENT = wrap_step(Around(_see_agent))
_ENTER, _EXIT = wrap_step(Around(_enter_trace)), wrap_step(Around(_exit_trace))
_FUNCTION = wrap_block(read_tool, "coroutine", tell_output)
_TOOL_PARAMETERS = ("function_tool", "context", "arguments")
LIBRARY = PatchedLibrary(
    "openai-agents",
    ">=0.15,<0.25",
    (
        Target(RUNNER, "AgentRunner", "run", wrap_block(read_run, "coroutine", tell_result), ("starting_agent",)),
        # Sentry puts a wrapper of the unpatched method on the one runner that everybody uses, if it comes first.
        Target(
            RUNNER, "DEFAULT_AGENT_RUNNER", "run", wrap_block(read_shared_run, "coroutine", tell_result), own_only=True
        ),
        Target(RUNNER, "", "start_streaming", wrap_block(read_run, "coroutine", tell_result), ("streamed_result",)),
        Target(RUNNER, "", "agent_span", _AGENT, ("name",)),
        Target("agents.run_internal.run_loop", "", "agent_span", _AGENT, ("name",)),
        Target(
            "agents.tracing.provider",
            "DefaultTraceProvider",
            "create_trace",
            wrap_step(Around(_begin_trace, _remember_trace)),
            ("name", "group_id"),
        ),
        Target("agents.tracing.traces", "TraceImpl", "__enter__", _ENTER),
        Target("agents.tracing.traces", "TraceImpl", "__exit__", _EXIT),
        Target("agents.tracing.traces", "NoOpTrace", "__enter__", _ENTER),
        Target("agents.tracing.traces", "NoOpTrace", "__exit__", _EXIT),
        Target(TOOLS, "", "_invoke_function_tool_with_metadata", _FUNCTION, _TOOL_PARAMETERS, optional=True),
        Target(
            TOOLS,
            "",
            "invoke_function_tool",
            _FUNCTION,
            _TOOL_PARAMETERS,
            superseded_by="_invoke_function_tool_with_metadata",
        ),
        Target(
            "agents.tool",
            "",
            "maybe_invoke_function_tool_failure_error_function",
            wrap_step(Around(_see_failure), is_async=True),
            ("error",),
        ),
        MODELS,
        Target("agents.exceptions", "ToolTimeoutError", "__init__", wrap_step(Around(_see_failure))),
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (a run, a hand-off, a `trace` block)",
            "execute_tool (functions)",
            "chat (a model whose provider has no client here)",
        ),
        not_covered=(
            "tools that are no functions (computer, shell, patches, hosted ones)",
            "realtime sessions: they are no runs",
        ),
        one_line=("one task around several runs: `with trace('support'):`",),
        unknown=("tokens of a stream, unless `include_usage` asks for them",),
        foreign_spans=ForeignSpans(
            # Of logfire.
            operations_by_name={
                "Chat completion with {gen_ai.request.model!r}": "chat",
                "Responses API with {gen_ai.request.model!r}": "chat",
            },
            run_scopes=frozenset(
                {"openinference.instrumentation.openai_agents", "opentelemetry.instrumentation.openai_agents"}
            ),
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_openai_agents`."""

    libraries = (LIBRARY,)


OpenAIAgentsInstrumentor = Instrumentor  # the name that others give theirs
