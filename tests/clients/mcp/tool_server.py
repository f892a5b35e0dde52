"""An MCP server with tools, in 1.x and in 2.x; as a program it serves standard input and output."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.types import ToolAnnotations

try:
    from mcp.server.mcpserver import MCPServer as Server
except ImportError:  # 1.x
    from mcp.server.fastmcp import FastMCP as Server

VERSION = "2.1.0"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def refuse() -> str:
    """Fail."""
    raise ValueError("a secret that no span may quote")


async def wait() -> str:
    """Answer too late."""
    await asyncio.sleep(30)
    return "late"


def make_server(name: str = "calculator") -> Any:
    server = Server(name)
    lowlevel_server(server).version = VERSION
    server.tool(annotations=ToolAnnotations(readOnlyHint=True))(add)
    server.tool()(refuse)
    server.tool()(wait)
    return server


def lowlevel_server(server: Any) -> Any:
    return getattr(server, "_lowlevel_server", None) or server._mcp_server


if __name__ == "__main__":
    make_server().run()
