"""The client of MCP: each `tools/call` is one execution of a tool, whose server is told of the trace and the task.

Patched is the session, which every transport and the client of 2.x end in:
https://github.com/modelcontextprotocol/python-sdk/blob/main/src/mcp/client/session.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import propagate
from opentelemetry.context import get_current
from opentelemetry.trace import get_current_span

from otel_agentops._client_call import ACTIVE_CALL, ClientCall, begin_call
from otel_agentops._coerce import drop_none
from otel_agentops._context import current_scope
from otel_agentops._endpoint import Content, ContentReader, Endpoint
from otel_agentops._foreign_spans import is_suppressed
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Target
from otel_agentops._schema_changes import describe_schema_change
from otel_agentops._telemetry import Telemetry
from otel_agentops._tool_arguments import hash_tool_call
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.frameworks.mcp._listing import ListedTool, ListedTools, ToolSchemas, read_field
from otel_agentops.frameworks.mcp._results import read_content, read_error_code, read_result
from otel_agentops.operations import CLIENT, ToolCall, Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

CALL, LISTING_CHANGED = "tools/call", "notifications/tools/list_changed"
_TRACE = ("traceparent", "tracestate")
COUNTED = "otel-agentops/counted"  # member of `_meta`: this call has a span of ours, which counts


class ServerInfo(NamedTuple):
    """The server of a session, as it describes itself; None for what it does not say.

    Attributes:
        name: Its name.
        version: Its version.
        protocol: The version of the protocol that both agreed on.
    """

    name: str | None = None
    version: str | None = None
    protocol: str | None = None


SCHEMAS = ToolSchemas()
SERVERS: WeakKeyDictionary[object, ServerInfo] = WeakKeyDictionary()  # sessions of 1.x do not know theirs


def find_server(session: object) -> ServerInfo:
    """Return what is known of a session's server."""
    if (info := getattr(session, "server_info", None)) is None:
        return SERVERS.get(session, ServerInfo(protocol=getattr(session, "protocol_version", None)))
    return ServerInfo(info.name, info.version, getattr(session, "protocol_version", None))


def read_call(arguments: Mapping[str, Any], facts: tuple[ListedTool, ServerInfo]) -> ToolCall:
    """Read the arguments of `call_tool`."""
    (schema, hints), server = facts
    name = str(arguments["name"])
    # The hash compares calls of one task; outside of any nobody needs it.
    is_compared = current_scope().task is not None
    arguments_hash = hash_tool_call(name, arguments.get("arguments") or {}) if is_compared else None
    described = {
        A.MCP_METHOD_NAME: CALL,
        A.MCP_PROTOCOL_VERSION: server.protocol,
        A.TOOL_SERVER: server.name,
        A.TOOL_VERSION: server.version,
    }
    return ToolCall(name, {**drop_none(described), **hints}, schema, arguments_hash, CLIENT, CALL)


def _read_arguments(arguments: Mapping[str, object]) -> Content:
    return {A.GEN_AI_TOOL_CALL_ARGUMENTS: arguments.get("arguments") or {}}


def _read_answer(result: object) -> Content:
    is_error = read_field(result, "isError", "is_error") is True
    return {} if is_error else {A.GEN_AI_TOOL_CALL_RESULT: read_content(result)}


ENDPOINT: Endpoint[tuple[ListedTool, ServerInfo]] = Endpoint(
    read_call,
    read_result,
    error_type=read_error_code,
    reports_attempts=False,
    content=ContentReader(_read_arguments, _read_answer),
)


# -- calls


def _begin_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    return begin_call(library, ENDPOINT)


def _start_call(call: ClientCall, args: Arguments, kwargs: Keywords) -> None:
    arguments = {**dict(zip(("name", "arguments"), args[1:], strict=False)), **kwargs}
    call.let_facts_travel()  # a server may be a service of the team, with agents of its own
    if "name" in arguments:  # else the library refuses the call
        session = args[0]
        call.attempt_started(arguments, (SCHEMAS.find(session, str(arguments["name"])), find_server(session)))


def _receive_result(call: ClientCall, result: object, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)


def _wrap_send(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of `send_request`, which puts the trace and the task into the `_meta` of a call."""

    async def send_request(*args: Any, **kwargs: Any) -> Any:
        if library.active and len(args) > 1 and (request := add_context(args[1])) is not None:
            args = (args[0], request, *args[2:])
        return await original(*args, **kwargs)

    return send_request


@guard
def add_context(request: Any) -> Any:
    """Return a copy of a call with the context of the caller in its `_meta`; None for any other request.

    2.x adds the trace by itself if the message leaves the process, and 1.x does not. A context that the application
    has put there stays.
    """
    inner = getattr(request, "root", request)  # 1.x wraps a request in the union of all
    params = getattr(inner, "params", None)
    if getattr(inner, "method", None) != CALL or params is None or is_suppressed(get_current()):
        return None
    is_mapping = isinstance(params, Mapping)  # if the request is of a class of the application
    present = (params.get("_meta") if is_mapping else params.meta) or {}
    if not isinstance(present, Mapping):  # a model of 1.x
        present = present.model_dump(exclude_none=True)
    carrier: dict[str, Any] = {}
    propagate.inject(carrier)
    if _TRACE[0] in present:
        carrier = {key: value for key, value in carrier.items() if key not in _TRACE}
    call = ACTIVE_CALL.get()
    if call is not None and call.endpoint is ENDPOINT and get_current_span().is_recording():
        carrier[COUNTED] = True
    if not carrier:
        return None
    meta = {**carrier, **present}
    if inner is not request:
        from mcp.types import RequestParams

        meta = RequestParams.Meta(**meta)  # type: ignore[attr-defined]  # of 1.x
    changed = {**params, "_meta": meta} if is_mapping else params.model_copy(update={"meta": meta})
    copied = inner.model_copy(update={"params": changed})
    return copied if inner is request else request.model_copy(update={"root": copied})


# -- listings


def _find_telemetry(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Telemetry | None:
    return library.telemetry if library.active else None


def _learn_tools(telemetry: Telemetry, page: ListedTools, args: Arguments, kwargs: Keywords) -> None:
    # 1.x takes the cursor as an argument as well.
    cursor = getattr(kwargs.get("params"), "cursor", None) or kwargs.get("cursor") or (args[1:] and args[1])
    SCHEMAS.learn(args[0], page, is_first=not cursor)
    if (server := find_server(args[0]).name) is None:
        return
    for tool, before, after in SCHEMAS.find_changes(server, page):
        hashes = [telemetry.identities.identify_tools([schema], dict).hashes[tool] for schema in (before, after)]
        change: dict[str, Value] = {
            A.CHANGE_VARIABLE: "tool",
            A.CHANGE_SCOPE: tool,
            A.CHANGE_PREVIOUS: hashes[0],
            A.CHANGE_VALUE: hashes[1],
            A.CHANGE_FIELDS: describe_schema_change(before, after),
            A.CHANGE_SOURCE: "first_seen",
        }
        telemetry.emit_event(E.CHANGE, change)


def _learn_server(telemetry: Telemetry, result: object, args: Arguments, kwargs: Keywords) -> None:
    info = read_field(result, "serverInfo", "server_info")
    protocol = read_field(result, "protocolVersion", "protocol_version")
    SERVERS[args[0]] = ServerInfo(info.name, info.version, None if protocol is None else str(protocol))


def _forget_tools(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> None:
    """Forget the tools of a session if this notification says that they have changed."""
    # 1.x has the notification as an object, 2.x the name of its method.
    method = args[2] if len(args) > 2 else getattr(getattr(args[1], "root", None), "method", None)
    if method == LISTING_CHANGED:
        SCHEMAS.forget(args[0])


_SESSION = ("mcp.client.session", "ClientSession")
_LISTING = Around(_find_telemetry, _learn_tools)
_NOTIFIED = wrap_step(Around(_forget_tools), is_async=True)
TARGETS = (
    Target(
        *_SESSION,
        "call_tool",
        wrap_call(Around(_begin_call, _receive_result, entered=_start_call), is_async=True),
        ("name",),
    ),
    Target(*_SESSION, "send_request", _wrap_send, ("request",)),
    Target(*_SESSION, "list_tools", wrap_step(_LISTING, is_async=True)),
    Target(*_SESSION, "initialize", wrap_step(Around(_find_telemetry, _learn_server), is_async=True)),
    Target(*_SESSION, "_received_notification", _NOTIFIED, optional=True),  # 1.x
    Target(*_SESSION, "_on_notify", _NOTIFIED, optional=True),  # 2.x
)
