"""The real client of Weaviate over a fake of its server, and what our instrumentation emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from both import block

from otel_agentops.stores.weaviate import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def running() -> Iterator[Any]:
    from weaviate_server import run_weaviate_server  # it needs the client, not installed where its tests are left out

    with run_weaviate_server() as server_and_ports:
        yield server_and_ports


@pytest.fixture
def server(running: Any) -> Any:
    return running[0]


@pytest.fixture
async def client(kind: str, running: Any) -> AsyncIterator[Any]:
    import weaviate

    _, http_port, grpc_port = running
    connect = weaviate.connect_to_local if kind == "sync" else weaviate.use_async_with_local
    client = connect("127.0.0.1", http_port, grpc_port, skip_init_checks=True)
    async with block(client):
        yield client
