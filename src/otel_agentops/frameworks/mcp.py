"""MCP, client side: each `tools/call` is one execution of a tool.

Patched is the session, which every transport and the client of 2.x end in:
https://github.com/modelcontextprotocol/python-sdk/blob/main/src/mcp/client/session.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from otel_agentops import _patching
from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops._context import current_scope
from otel_agentops._endpoint import Content, ContentReader, Endpoint
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._schema_changes import describe_schema_change
from otel_agentops._telemetry import Telemetry
from otel_agentops._tool_arguments import hash_tool_call
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols.fields import as_list
from otel_agentops.clients._protocols.parts import (
    Part,
    blob_part,
    join_texts,
    name_modality,
    other_part,
    text_part,
    uri_part,
)
from otel_agentops.operations import CLIENT, NO_VALUE, ToolCall, ToolResult, Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

TOOL_ERROR = "tool_error"  # the convention's `error.type` of a result that says it is an error
Schema = Mapping[str, object]


class Annotations(Protocol):
    """The hints of a tool, a pydantic model."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_none: bool) -> dict[str, object]:
        """Return the members as JSON has them."""


class ListedTools(Protocol):
    """A page of `tools/list`."""

    tools: Sequence[object]


class Change(NamedTuple):
    """A tool that its server lists with another schema than before."""

    tool: str
    before: Schema
    after: Schema


class ToolSchemas:
    """The tools that the server of each session listed, for as long as the session lives.

    The last schema of each tool of a server is kept longer, to tell what changed between two sessions.
    """

    def __init__(self) -> None:
        self._by_session: WeakKeyDictionary[object, dict[str, Schema]] = WeakKeyDictionary()
        self._last: dict[tuple[str, str], Schema] = {}
        self._told: set[tuple[str, str, str]] = set()

    def find(self, session: object, name: str) -> Schema | None:
        """Return the identity material of a tool; None if the session has not listed it."""
        return self._by_session.get(session, {}).get(name)

    def learn(self, session: object, page: ListedTools, is_first: bool) -> None:
        """Remember a page of tools; the first page replaces what was listed before."""
        schemas = {} if is_first else self._by_session.get(session, {})
        schemas.update((str(schema["name"]), schema) for schema in map(read_tool, page.tools))
        self._by_session[session] = schemas

    def find_changes(self, session: object, page: ListedTools) -> Iterator[Change]:
        """Yield the tools of a page whose server listed another schema before.

        Each new schema is told once: two servers of one name, and the replicas of one in a roll-out, take turns.
        """
        server = find_server(session)
        if server is None:
            return
        for schema in map(read_tool, page.tools):
            name = str(schema["name"])
            if len(self._last) >= _MAX_TOOLS or len(self._told) >= _MAX_TOOLS:
                self._last.clear()
                self._told.clear()
            before = self._last.get((server, name))
            self._last[server, name] = schema
            told = (server, name, json.dumps(schema, sort_keys=True, default=str))
            if before is not None and before != schema and told not in self._told:
                yield Change(name, before, schema)
            self._told.add(told)


def find_server(session: object) -> str | None:
    """Return the name of a session's server; None if it is not known."""
    name = getattr(getattr(session, "server_info", None), "name", None) or SERVERS.get(session)
    return name if isinstance(name, str) else None


def read_tool(tool: object) -> Schema:
    """Return the identity material of a listed tool, the same for both majors.

    `title`, `icons`, `execution` and `_meta` are for people and transports, and no part of it.
    """
    annotations: Annotations | None = getattr(tool, "annotations", None)
    material = {
        "name": getattr(tool, "name", None),
        "description": getattr(tool, "description", None),
        "input_schema": _read_field(tool, "inputSchema", "input_schema"),
        "output_schema": _read_field(tool, "outputSchema", "output_schema"),
        "annotations": annotations and annotations.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return {key: value for key, value in material.items() if value is not None}


def read_call(arguments: Mapping[str, Any], schema: Schema | None) -> ToolCall:
    """Read the arguments of `call_tool`."""
    name = str(arguments["name"])
    # The hash compares calls of one task; outside of any nobody needs it.
    is_compared = current_scope().task is not None
    arguments_hash = hash_tool_call(name, arguments.get("arguments") or {}) if is_compared else None
    return ToolCall(name, {}, schema, arguments_hash, CLIENT, "tools/call")


def read_result(result: object) -> ToolResult:
    """Read a `CallToolResult`: an unknown tool or bad arguments are a result as well, and no exception."""
    if _read_field(result, "isError", "is_error") is True:
        return ToolResult(TOOL_ERROR)
    value = _read_field(result, "structuredContent", "structured_content")
    blocks = getattr(result, "content", None)
    if value is None and isinstance(blocks, list):  # a result that asks for input has none
        values = [getattr(block, "text", {"type": getattr(block, "type", None)}) for block in blocks]
        value = values[0] if len(values) == 1 else values
    return ToolResult(value=NO_VALUE if value is None else value)


def read_error_code(error: BaseException) -> str | None:
    """Return the JSON-RPC code of an `McpError` (`MCPError` in 2.x), which is its `error.type`; None for others."""
    code = getattr(getattr(error, "error", None), "code", None)
    return str(code) if type(code) is int else None


def _read_field(record: object, name: str, name_in_2: str) -> object:
    """Return a field, which is in camel case in 1.x and in snake case in 2.x."""
    return getattr(record, name_in_2, getattr(record, name, None))


_MAX_TOOLS = 1000  # of all servers that are remembered, before the memory starts over
SCHEMAS = ToolSchemas()
SERVERS: WeakKeyDictionary[object, str] = WeakKeyDictionary()  # sessions of 1.x do not know the name of theirs


def read_arguments(arguments: Mapping[str, object]) -> Content:
    """Read the arguments of the tool."""
    return {A.GEN_AI_TOOL_CALL_ARGUMENTS: arguments.get("arguments") or {}}


def read_content(result: object) -> Content:
    """Read the result of a tool that succeeded: its structure if it has one, else its texts and what is binary."""
    if _read_field(result, "isError", "is_error") is True:
        return {}
    structured = _read_field(result, "structuredContent", "structured_content")
    if structured is None:
        structured = join_texts([_read_block(block) for block in as_list(getattr(result, "content", None))])
    return {A.GEN_AI_TOOL_CALL_RESULT: structured}


def _read_block(block: object) -> Part:
    kind, mime_type = str(getattr(block, "type", None)), _read_field(block, "mimeType", "mime_type")
    if kind == "text":
        return text_part(str(getattr(block, "text", "")))
    if kind in {"image", "audio"}:
        return blob_part(kind, getattr(block, "data", None), mime_type)
    uri = getattr(block, "uri", None) or getattr(getattr(block, "resource", None), "uri", None)
    return other_part(block) if uri is None else uri_part(name_modality(mime_type), str(uri), mime_type)


ENDPOINT: Endpoint[Schema | None] = Endpoint(
    read_call,
    read_result,
    error_type=read_error_code,
    reports_attempts=False,
    content=ContentReader(read_arguments, read_content),
)


def _begin_call(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    return begin_call(library, ENDPOINT)


def _start_call(call: ClientCall, args: Arguments, kwargs: Keywords) -> None:
    arguments = {**dict(zip(("name", "arguments"), args[1:], strict=False)), **kwargs}
    if "name" in arguments:  # else the library refuses the call
        call.attempt_started(arguments, SCHEMAS.find(args[0], str(arguments["name"])))


def _receive_result(call: ClientCall, result: object, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)


def _find_telemetry(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Telemetry | None:
    return library.telemetry if library.active else None


def _learn_tools(telemetry: Telemetry, page: ListedTools, args: Arguments, kwargs: Keywords) -> None:
    # 1.x takes the cursor as an argument as well.
    cursor = getattr(kwargs.get("params"), "cursor", None) or kwargs.get("cursor") or (args[1:] and args[1])
    SCHEMAS.learn(args[0], page, is_first=not cursor)
    for tool, before, after in SCHEMAS.find_changes(args[0], page):
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
    name = getattr(_read_field(result, "serverInfo", "server_info"), "name", None)
    if isinstance(name, str):
        SERVERS[args[0]] = name


_CALL = Around(_begin_call, _receive_result, entered=_start_call)
_LISTING = Around(_find_telemetry, _learn_tools)
_INITIALIZING = Around(_find_telemetry, _learn_server)
SESSION = ("mcp.client.session", "ClientSession")
LIBRARY = PatchedLibrary(
    "mcp",
    ">=1.10,<3",
    (
        Target(*SESSION, "call_tool", wrap_call(_CALL, is_async=True), ("name",)),
        Target(*SESSION, "list_tools", wrap_step(_LISTING, is_async=True)),
        Target(*SESSION, "initialize", wrap_step(_INITIALIZING, is_async=True)),
    ),
    ClientInfo(
        operations=("execute_tool (`tools/call`)",),
        native="2.x has spans of its own: those of the request and of the server are children of ours",
        not_covered=("resources, prompts, sampling and elicitation: they execute no tool", "the server side"),
        unknown=("the hash of a tool before it was listed",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mcp`."""

    libraries = (LIBRARY,)


MCPInstrumentor = Instrumentor  # the name that others give theirs
