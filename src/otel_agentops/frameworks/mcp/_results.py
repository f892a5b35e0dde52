"""Readers of the answer to a call of a tool: the same for a client and a server, and for both majors."""

from __future__ import annotations

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
from otel_agentops.frameworks.mcp._listing import read_field
from otel_agentops.operations import NO_VALUE, ToolResult

TOOL_ERROR = "tool_error"  # the convention's `error.type` of a result that says it is an error


def read_result(result: object) -> ToolResult:
    """Read a `CallToolResult`: an unknown tool or bad arguments are a result as well, and no exception."""
    if read_field(result, "isError", "is_error") is True:
        return ToolResult(TOOL_ERROR)
    value = read_field(result, "structuredContent", "structured_content")
    blocks = read_field(result, "content", "content")
    if value is None and isinstance(blocks, list):  # a result that asks for input has none
        values = [_read_value(block) for block in blocks]
        value = values[0] if len(values) == 1 else values
    return ToolResult(value=NO_VALUE if value is None else value)


def _read_value(block: object) -> object:
    text = read_field(block, "text", "text")
    return {"type": read_field(block, "type", "type")} if text is None else text


def read_error_code(error: object) -> str | None:
    """Return the JSON-RPC code of an `McpError` (`MCPError` in 2.x), which is its `error.type`; None for others."""
    code = getattr(getattr(error, "error", error), "code", None)
    return str(code) if type(code) is int else None


def read_content(result: object) -> object:
    """Return what a tool that succeeded said: its structure if it has one, else its texts and what is binary."""
    structured = read_field(result, "structuredContent", "structured_content")
    if structured is None:
        structured = join_texts([_read_block(block) for block in as_list(getattr(result, "content", None))])
    return structured


def _read_block(block: object) -> Part:
    kind, mime_type = str(getattr(block, "type", None)), read_field(block, "mimeType", "mime_type")
    if kind == "text":
        return text_part(str(getattr(block, "text", "")))
    if kind in {"image", "audio"}:
        return blob_part(kind, getattr(block, "data", None), mime_type)
    uri = getattr(block, "uri", None) or getattr(getattr(block, "resource", None), "uri", None)
    return other_part(block) if uri is None else uri_part(name_modality(mime_type), str(uri), mime_type)
