"""Pydantic AI: each run of an agent is a task or an agent of one, each call of a tool an execution.

Patched are `Agent.iter`, which every way to run an agent enters, and the manager of its tools:
https://github.com/pydantic/pydantic-ai/blob/main/pydantic_ai_slim/pydantic_ai/agent/__init__.py
https://github.com/pydantic/pydantic-ai/blob/main/pydantic_ai_slim/pydantic_ai/tool_manager.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._context import Scope, current_scope
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._pydantic_ai_models import TARGETS
from otel_agentops.frameworks._retried_steps import expect_retry
from otel_agentops.frameworks._runs import INTERRUPTED, Run, ToolRun, wrap_block

_NEW_CONVERSATION = "new"  # as an id, it asks for one that the library makes up
_SILENT_TRACER = "NoOpTracer"  # of a run that the library does not trace itself
_UNNAMED = "agent"  # as the library calls an agent without a name in its own spans


class Call(Protocol):
    """A model's call of a tool."""

    tool_name: str
    tool_call_id: str
    args: Mapping[str, object] | str | None


class Definition(Protocol):
    """A tool as it is offered to a model."""

    kind: str
    description: str | None
    parameters_json_schema: Mapping[str, object]


class AgentRunBlock(Run):
    """One run of an agent, which the application may have cancelled."""

    @override
    def exit_block(self, error: BaseException | None) -> None:
        from pydantic_ai.exceptions import RunCancelled

        if isinstance(error, RunCancelled) and not isinstance(error, TimeoutError):
            self.end_as("cancelled")
        super().exit_block(error)


class ModelToolRun(ToolRun):
    """One execution of a tool, which may ask the model to try again."""

    @override
    def exit_block(self, error: BaseException | None) -> None:
        from pydantic_ai.exceptions import ToolRetryError

        if isinstance(error, ToolRetryError):
            expect_retry(current_scope())
        super().exit_block(error)


def read_run(args: Arguments, kwargs: Keywords) -> AgentRunBlock:
    """Read the agent's name, and the conversation that the application names or goes on with."""
    conversation = kwargs.get("conversation_id") or find_conversation(kwargs.get("message_history"))
    return AgentRunBlock(
        args[0].name or _UNNAMED,
        conversation_id=None if conversation == _NEW_CONVERSATION else conversation,
        has_native_span=True,
    )


def find_conversation(history: Sequence[object] | None) -> object:
    """Return the conversation that the last message belongs to; None if it names none."""
    return getattr(history[-1], "conversation_id", None) if history else None


def tell_end(run: Run, agent_run: object) -> None:
    """Tell how a run ended: it may wait for somebody, or have been left before it had a result."""
    from pydantic_ai import DeferredToolRequests

    result = getattr(agent_run, "result", None)
    if result is None:
        run.end_as("cancelled")
    elif isinstance(result.output, DeferredToolRequests):
        run.end_as(INTERRUPTED)


def read_execution(args: Arguments, kwargs: Keywords) -> ToolRun | None:
    """Read a call of a tool whose arguments are valid."""
    validated = args[1] if len(args) > 1 else kwargs["validated"]
    return read_call(validated.call, validated.tool and validated.tool.tool_def)


def read_refusal(args: Arguments, kwargs: Keywords) -> ToolRun | None:
    """Read a call of a tool that is unknown or has wrong arguments, so that the model is told of the failure.

    If the library traces itself it has a span for that.
    """
    validated = args[1] if len(args) > 1 else kwargs["validated"]
    if validated.args_valid or type(args[0].ctx.tracer).__name__ != _SILENT_TRACER:
        return None
    return read_call(validated.call, validated.tool and validated.tool.tool_def)


def read_call(call: Call, definition: Definition | None) -> ToolRun | None:
    """Read a call; a tool whose arguments are the agent's answer executes nothing."""
    from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, ToolFailedError, ToolRetryError

    if definition is not None and definition.kind == "output":
        return None
    # A model whose client is observed told how the tool was offered.
    offer = None if find_tool_hash(call.tool_name) else definition
    return ModelToolRun(
        call.tool_name,
        pauses=(ApprovalRequired, CallDeferred),
        reports=(ToolRetryError, ToolFailedError),
        schema=offer and offer.parameters_json_schema,
        description=offer and offer.description,
        call_id=call.tool_call_id,
        arguments=call.args or {},
    )


def tell_result(run: ToolRun, result: object) -> None:
    """Tell the result; it may come with content for people, which is no part of it."""
    run.record_result(getattr(result, "return_value", result))


def _begin_output_retry(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Scope | None:
    return current_scope() if library.active else None


def _see_output_retry(scope: Scope, result: None, args: Arguments, kwargs: Keywords) -> None:
    expect_retry(scope)


MANAGER = ("pydantic_ai.tool_manager", "ToolManager")
LIBRARY = PatchedLibrary(
    "pydantic-ai-slim",
    ">=2.30,<3",
    (
        Target(
            "pydantic_ai.agent", "Agent", "iter", wrap_block(read_run, "async_manager", tell_end), ("message_history",)
        ),
        Target(*MANAGER, "_raw_execute", wrap_block(read_execution, "coroutine", tell_result), ("validated",)),
        Target(*MANAGER, "execute_tool_call", wrap_block(read_refusal, "coroutine"), ("validated",)),
        Target(
            "pydantic_ai._agent_graph",
            "GraphAgentState",
            "consume_output_retry",
            wrap_step(Around(_begin_output_retry, _see_output_retry)),
            optional=True,
        ),
        *TARGETS,
    ),
    ClientInfo(
        operations=(
            "invoke_workflow or invoke_agent (`Agent.run` and the other ways to run one)",
            "execute_tool",
            "chat (a model whose provider has no client here)",
        ),
        native="after `instrument_all()`: its spans are below ours, those of tools and models get what they lack",
        not_covered=("realtime sessions", "`pydantic_ai.direct`: it runs no agent"),
        one_line=("effect and tier of a tool: `@tool('name', effect='read')` on its function",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_pydantic_ai`."""

    libraries = (LIBRARY,)


PydanticAIInstrumentor = Instrumentor  # the name that others give theirs
