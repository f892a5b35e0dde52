"""The real LanceDB on this disk, and what our instrumentation of it emits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otel_agentops.stores.lancedb import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def database(kind: str, tmp_path: Path) -> Any:
    import lancedb  # not installed where its tests are left out

    return lancedb.connect(tmp_path) if kind == "sync" else await lancedb.connect_async(tmp_path)
