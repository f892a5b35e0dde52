"""Functions of the application that a client executes by itself, because a model asks for them: tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops._context import current_scope
from otel_agentops._endpoint import Content, ContentReader, Endpoint
from otel_agentops._patching import PatchedLibrary, Wrap
from otel_agentops._tool_arguments import TOOL_MARK, hash_tool_call
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.operations import ToolCall, ToolResult
from otel_agentops.semconv import attributes as A

# Modules that make functions whose execution has a span by itself: the official instrumentation wraps the
# application's, and a tool of MCP is a call of its session.
_TRACING_MODULES = frozenset({
    "opentelemetry.instrumentation.google_genai.tool_call_wrapper", "anthropic.lib.tools.mcp",
})  # fmt: skip


class Execution(NamedTuple):
    """A function that is about to be executed.

    Attributes:
        name: The tool's name.
        description: As the model knows it; None if it has none.
        arguments: Those that the model gave.
    """

    name: str
    description: str | None
    arguments: Mapping[str, Any]


def has_own_span(function: object) -> bool:
    """Return True if a function makes the span of its execution by itself."""
    module = getattr(function, "__globals__", {}).get("__name__")
    return module in _TRACING_MODULES or hasattr(function, TOOL_MARK)


def wrap_execution(
    read: Callable[[Arguments, Keywords], Execution | None],
    error_type: Callable[[BaseException], str | None] | None = None,
    *,
    is_async: bool = False,
) -> Wrap:
    """Return the wrapper of a method of the client that executes a function.

    Args:
        read: Positional and keyword arguments to what is executed; None if it is left alone.
        error_type: `error.type` of an exception that the client makes of the function's; None if it makes none.
        is_async: True if the method is a coroutine function.
    """
    content = ContentReader(_read_arguments, _read_result)
    endpoint: Endpoint[None] = Endpoint(
        _read_call,
        lambda result: ToolResult(value=result),
        error_type=error_type,
        reports_attempts=False,
        content=content,
    )

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[Execution] | None:
        execution = read(args, kwargs)
        return None if execution is None else begin_call(library, endpoint, execution)

    return wrap_call(Around(begin, _receive_result, entered=_start_call), is_async=is_async)


def _start_call(call: ClientCall[Execution], args: Arguments, kwargs: Keywords) -> None:
    call.attempt_started(call.context._asdict())


def _receive_result(call: ClientCall[Execution], result: object, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)


def _read_call(execution: Mapping[str, Any], _: None) -> ToolCall:
    # The hash compares calls of one task; outside of any nobody needs it.
    is_compared = current_scope().task is not None
    name = execution["name"]
    return ToolCall(name, {}, None, hash_tool_call(name, execution["arguments"]) if is_compared else None)


def _read_arguments(execution: Mapping[str, Any]) -> Content:
    arguments = {A.GEN_AI_TOOL_CALL_ARGUMENTS: execution["arguments"]}
    # Part of a tool's definition, which is content as well.
    description = execution["description"]
    return {A.GEN_AI_TOOL_DESCRIPTION: description, **arguments} if description else arguments


def _read_result(result: object) -> Content:
    return {A.GEN_AI_TOOL_CALL_RESULT: result}
