"""Sessions with the tool server, over each transport and handshake that the installed major has."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import mcp
from mcp.client.stdio import stdio_client
from tool_server import make_server

SERVER = Path(__file__).with_name("tool_server.py")
IS_2 = hasattr(mcp, "Client")
ConnectTo = Callable[[Any], AbstractAsyncContextManager[Any]]
Connect = Callable[[], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def connect_by_stdio() -> AsyncIterator[Any]:
    program = mcp.StdioServerParameters(command=sys.executable, args=[str(SERVER)])
    async with stdio_client(program) as streams, mcp.ClientSession(*streams) as session:
        await session.initialize()
        yield session


def connect_in_memory(server: Any = None) -> AbstractAsyncContextManager[Any]:
    """Connect to a server in this process, in 2.x with the newest protocol, which has no handshake."""
    if IS_2:
        client: AbstractAsyncContextManager[Any] = mcp.Client(server or make_server())
        return client
    return connect_by_streams(server)


def connect_by_streams(server: Any = None) -> AbstractAsyncContextManager[Any]:
    """Connect to a server in this process that gets messages, with the handshake of both majors."""
    if IS_2:
        client: AbstractAsyncContextManager[Any] = mcp.Client(server or make_server(), mode="legacy")
        return client
    from mcp.shared.memory import create_connected_server_and_client_session

    return create_connected_server_and_client_session((server or make_server())._mcp_server)
