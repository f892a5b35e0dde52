"""The server of MCP: each `tools/call` that it handles is one span, below that of its caller.

The server of 2.x makes that span itself, which gets what it lacks; for 1.x it is ours. Both learn the trace and the
task from the `_meta` of the call:
https://github.com/modelcontextprotocol/python-sdk/blob/main/src/mcp/server/_otel.py
https://github.com/modelcontextprotocol/python-sdk/blob/v1.x/src/mcp/server/lowlevel/server.py
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import propagate
from typing_extensions import override

from otel_agentops._coerce import drop_none
from otel_agentops._foreign_spans import is_suppressed
from otel_agentops._guard import guard
from otel_agentops._observation import Observation
from otel_agentops._patching import Method, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.frameworks._runs import wrap_block
from otel_agentops.frameworks.mcp._client import CALL, COUNTED
from otel_agentops.frameworks.mcp._listing import UNLISTED, ListedTool, ToolSchemas, read_listed
from otel_agentops.frameworks.mcp._results import read_error_code, read_result
from otel_agentops.helpers import tool
from otel_agentops.operations import OTHER_ERROR, SERVER, Attributes, ToolCall
from otel_agentops.semconv import attributes as A

_LIST = "tools/list"
SCHEMAS = ToolSchemas()  # by server, of 2.x: one of 1.x keeps them by itself


class ServedCall(tool):
    """One `tools/call` that a server of this process handles.

    Args:
        server: The server.
        params: Name and arguments of the call.
        meta: Its `_meta`.
        listed: The tool as the server lists it.
        responder: What answers the call in 1.x; None in 2.x, where the handler returns the answer.
    """

    def __init__(
        self,
        server: Any,
        params: tuple[str, Mapping[str, object] | None],
        meta: Mapping[str, object],
        listed: ListedTool,
        responder: Any = None,
    ) -> None:
        name, arguments = params
        super().__init__(name, arguments=arguments or {})
        self._material = listed.schema
        described = {
            A.MCP_METHOD_NAME: CALL,
            A.TOOL_SERVER: getattr(server, "name", None),
            A.TOOL_VERSION: getattr(server, "version", None),
            A.TOOL_COUNTED_ELSEWHERE: meta.get(COUNTED) is True or None,
        }
        self._attributes: Attributes = {**drop_none(described), **listed.attributes}
        self._meta = meta
        self.responder = responder

    @override
    def enter_block(self, stack: ExitStack) -> None:
        if self.responder is not None:
            enter_caller(stack, self._meta)
        before = _SERVED.get()
        _SERVED.set(self)
        stack.callback(_SERVED.set, before)
        super().enter_block(stack)

    @override
    def observe(self, stack: ExitStack, call: ToolCall) -> Observation:
        return super().observe(stack, call._replace(span_kind=SERVER, method=CALL))

    @override
    def _declared_attributes(self) -> Attributes:
        return self._attributes

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if (code := read_error_code(error)) is not None:
            self.fail(code)
            error = None
        super().exit_block(error)

    def tell_answer(self, answer: object) -> None:
        """Record the answer to the call, an error or a result."""
        if (code := read_error_code(answer)) is not None:
            self.fail(OTHER_ERROR if code == "0" else code)  # 1.x has 0 for any exception
            return
        result = read_result(answer)
        if result.error is not None:
            self.fail(result.error)
        else:
            self.record_result(result.value)


_SERVED: ContextVar[ServedCall | None] = ContextVar("otel_agentops.mcp.served", default=None)


def enter_caller(stack: ExitStack, meta: Mapping[str, object] | None) -> None:
    """Make the trace and the baggage that the caller sent current until the stack is left."""
    carrier = {key: value for key, value in (meta or {}).items() if isinstance(value, str)}
    if carrier:
        before = otel_context.get_current()
        stack.callback(otel_context.detach, otel_context.attach(propagate.extract(carrier, before)))


# -- 1.x


def _read_request(args: Arguments, kwargs: Keywords) -> ServedCall | None:
    server, responder, request = args[:3]
    if getattr(request, "method", None) != CALL:
        return None
    listed = server._tool_cache.get(request.params.name)
    return ServedCall(
        server,
        (request.params.name, request.params.arguments),
        getattr(responder.request_meta, "model_extra", None) or {},
        UNLISTED if listed is None else read_listed(listed),
        responder,
    )


def _tell_end(call: ServedCall, _: object) -> None:
    """Tell of a call that its client has cancelled, for which there is no answer."""
    if call.responder.cancelled:
        call.fail("cancelled")


def _tell_response(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    served = _SERVED.get()
    if served is not None and served.responder is args[0]:
        served.tell_answer(getattr(args[1], "root", args[1]))


# -- 2.x


class Request(NamedTuple):
    """A call of a tool that a server of 2.x handles."""

    server: Any
    params: Mapping[str, Any]


_REQUEST: ContextVar[Request | None] = ContextVar("otel_agentops.mcp.request", default=None)


def _wrap_request(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of the runner's `_on_request`, in which the context of the caller holds."""

    async def on_request(*args: Any, **kwargs: Any) -> Any:
        if not library.active:
            return await original(*args, **kwargs)
        with ExitStack() as stack:
            enter_request(stack, *args)
            result = await original(*args, **kwargs)
            learn_listing(result, *args)
            return result

    return on_request


@guard
def enter_request(stack: ExitStack, runner: Any, _: object, method: str, params: Mapping[str, Any] | None) -> None:
    """Enter the context of the caller of a tool, and remember whose tool it is."""
    if method == CALL and params is not None:
        before = _REQUEST.get()
        _REQUEST.set(Request(runner.server, params))
        stack.callback(_REQUEST.set, before)
        enter_caller(stack, params.get("_meta"))


@guard
def learn_listing(
    result: Mapping[str, Any], runner: Any, _: object, method: str, params: Mapping[str, Any] | None
) -> None:
    """Remember the tools that a server lists."""
    if method == _LIST:
        from mcp.types import ListToolsResult

        SCHEMAS.learn(runner.server, ListToolsResult.model_validate(result), is_first=not (params or {}).get("cursor"))


def _wrap_middleware(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of the middleware that makes the span: what it calls next runs inside of that."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        if library.active and len(args) == 3 and args[1].method == CALL:
            args = (*args[:2], _wrap_handler(args[2], library))
        return await original(*args, **kwargs)

    return call


def read_served(name: object, declared: Attributes) -> ServedCall | None:
    """Return the call that is being handled here, of a tool of this name; None if there is none.

    declared: Further attributes of the tool.
    """
    request = _REQUEST.get()
    if request is None or request.params.get("name") != name or is_suppressed(otel_context.get_current()):
        return None
    server, params = request
    schema, hints = SCHEMAS.find(server, str(name))
    listed = ListedTool(schema, {**hints, **declared})
    return ServedCall(server, (str(name), params.get("arguments")), params.get("_meta") or {}, listed)


def _read_message(args: Arguments, kwargs: Keywords) -> ServedCall | None:
    return read_served((args[0].params or {}).get("name"), {})


_wrap_handler = wrap_block(_read_message, "coroutine", ServedCall.tell_answer)
TARGETS = (
    Target(
        "mcp.server.lowlevel.server",
        "Server",
        "_handle_request",
        wrap_block(_read_request, "coroutine", _tell_end),
        optional=True,
    ),
    Target(
        "mcp.shared.session",
        "RequestResponder",
        "respond",
        wrap_step(Around(_tell_response), is_async=True),
        optional=True,
    ),
    Target("mcp.server.runner", "ServerRunner", "_on_request", _wrap_request, optional=True),
    Target("mcp.server._otel", "OpenTelemetryMiddleware", "__call__", _wrap_middleware, optional=True),
)
