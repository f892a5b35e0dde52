"""The library `mcp` as data: where it is patched, and facts of it for people."""

from __future__ import annotations

from otel_agentops._patching import ClientInfo, PatchedLibrary
from otel_agentops.frameworks.mcp import _client, _server

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
