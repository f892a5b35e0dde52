"""The real client of OpenSearch over a fake of its server, and what our instrumentation emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from both import done
from search_server import SearchServer, run_search_server

from otel_agentops.stores.opensearchpy import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def server() -> Iterator[SearchServer]:
    with run_search_server() as store:
        yield store


@pytest.fixture
async def client(kind: str, server: SearchServer) -> AsyncIterator[Any]:
    import opensearchpy  # not installed where its tests are left out

    client: Any = (opensearchpy.OpenSearch if kind == "sync" else opensearchpy.AsyncOpenSearch)(hosts=[server.url])
    yield client
    await done(client.close())
