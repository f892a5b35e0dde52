"""MCP: each `tools/call` is one execution of a tool for its client, and one request for its server."""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops.frameworks.mcp._library import LIBRARY
from otel_agentops.frameworks.mcp._listing import ToolSchemas, read_tool
from otel_agentops.frameworks.mcp._results import read_result

__all__ = ["LIBRARY", "Instrumentor", "MCPInstrumentor", "ToolSchemas", "read_result", "read_tool"]


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mcp`."""

    libraries = (LIBRARY,)


MCPInstrumentor = Instrumentor  # the name that others give theirs
