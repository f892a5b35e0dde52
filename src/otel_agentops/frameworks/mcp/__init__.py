"""MCP: each `tools/call` is one execution of a tool for its client, and one request for its server."""

from __future__ import annotations

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary
from otel_agentops.frameworks.mcp import _client, _server
from otel_agentops.frameworks.mcp._listing import ToolSchemas, read_tool
from otel_agentops.frameworks.mcp._results import read_result

__all__ = ["LIBRARY", "Instrumentor", "MCPInstrumentor", "ToolSchemas", "read_result", "read_tool"]

LIBRARY = PatchedLibrary(
    "mcp",
    ">=1.10,<3",
    (*_client.TARGETS, *_server.TARGETS),
    ClientInfo(
        operations=("execute_tool (`tools/call`, of a client and of a server)",),
        native="2.x has spans of its own: that of a request is a child of ours, that of a server gets what it lacks",
        not_covered=("resources, prompts, sampling and elicitation: they execute no tool",),
        unknown=("the hash of a tool before it was listed",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mcp`."""

    libraries = (LIBRARY,)


MCPInstrumentor = Instrumentor  # the name that others give theirs
