"""The real client of Milvus with the embedded engine, and what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from both import done

from otel_agentops.stores.pymilvus import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str, tmp_path: Path) -> AsyncIterator[Any]:
    import pymilvus  # not installed where its tests are left out

    owner: Any = pymilvus.MilvusClient if kind == "sync" else pymilvus.AsyncMilvusClient
    client = owner(str(tmp_path / "milvus.db"))
    yield client
    await done(client.close())


@pytest.fixture
def maker(client: Any, tmp_path: Path) -> Any:
    """Return a sync client of the same engine: that one lacks what the async client needs to make a collection."""
    import pymilvus

    return pymilvus.MilvusClient(str(tmp_path / "milvus.db"))
