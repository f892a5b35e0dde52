"""The real client of Pinecone over a fake of its servers, and what our instrumentation emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from both import done
from pinecone_server import PineconeServer, run_pinecone_server

from otel_agentops.stores.pinecone import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def server() -> Iterator[PineconeServer]:
    with run_pinecone_server() as running:
        yield running


@pytest.fixture
async def client(kind: str, server: PineconeServer, seen: Any) -> AsyncIterator[Any]:
    import pinecone  # not installed where its tests are left out

    owner: Any = pinecone.Pinecone if kind == "sync" else pinecone.AsyncPinecone
    client = owner(api_key="k", host=server.url)
    yield client
    await done(client.close())
