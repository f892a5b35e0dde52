"""Sessions with the tool server, over each transport and handshake that the installed major has."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import mcp
from mcp.client import streamable_http
from mcp.client.stdio import stdio_client
from tool_server import lowlevel_server, make_server

SERVER = Path(__file__).with_name("tool_server.py")
SERVED = Path(__file__).with_name("served_tools.py")
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

    return create_connected_server_and_client_session(lowlevel_server(server or make_server()))


@asynccontextmanager
async def serve_by_stdio(spans: Path) -> AsyncIterator[Any]:
    """Connect to a process of its own, which writes its spans to a file."""
    program = mcp.StdioServerParameters(command=sys.executable, args=[str(SERVED), str(spans)])
    async with stdio_client(program) as streams, mcp.ClientSession(*streams) as session:
        await session.initialize()
        yield session


@asynccontextmanager
async def serve_by_http(spans: Path) -> AsyncIterator[Any]:
    """Connect to a process of its own over streamable HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, SERVED, spans, str(port)], stderr=subprocess.DEVNULL) as program:
        try:
            await _wait_for(port)
            connect = getattr(streamable_http, "streamable_http_client", None) or streamable_http.streamablehttp_client
            async with (
                connect(f"http://127.0.0.1:{port}/mcp") as streams,
                mcp.ClientSession(*streams[:2]) as session,
            ):
                await session.initialize()
                yield session
        finally:
            program.terminate()


async def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(port)
