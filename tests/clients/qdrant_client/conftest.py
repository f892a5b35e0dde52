"""The real client of Qdrant with its engine in this process, and what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from both import done

from otel_agentops.stores.qdrant_client import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str) -> AsyncIterator[Any]:
    import qdrant_client  # not installed where its tests are left out

    owner = qdrant_client.QdrantClient if kind == "sync" else qdrant_client.AsyncQdrantClient
    client = owner(":memory:")
    yield client
    await done(client.close())
