"""The real client of turbopuffer over a fake of its server, and what our instrumentation emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from both import done
from turbopuffer_server import TurbopufferServer, run_turbopuffer_server

from otel_agentops.stores.turbopuffer import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def server() -> Iterator[TurbopufferServer]:
    with run_turbopuffer_server() as running:
        yield running


@pytest.fixture
async def client(kind: str, server: TurbopufferServer) -> AsyncIterator[Any]:
    import turbopuffer  # not installed where its tests are left out

    owner: Any = turbopuffer.Turbopuffer if kind == "sync" else turbopuffer.AsyncTurbopuffer
    client = owner(api_key="k", base_url=server.url, max_retries=0)
    yield client
    await done(client.close())
