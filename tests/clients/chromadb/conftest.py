"""The real Chroma: its engine in this process, and a server of it on loopback, with what our instrumentation emits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_agentops.stores.chromadb import Instrumentor

os.environ["ANONYMIZED_TELEMETRY"] = "False"  # read when a client is made; no test leaves the machine


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--port", str(number)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(number, server)
            yield number
        finally:
            server.terminate()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the server does not answer")


@pytest.fixture(params=["embedded", "http", "async"])
async def client(request: pytest.FixtureRequest) -> Any:
    """Return each kind of client."""
    import chromadb  # not installed where its tests are left out

    if request.param == "embedded":
        return chromadb.EphemeralClient()
    port = request.getfixturevalue("port")
    if request.param == "http":
        return chromadb.HttpClient("127.0.0.1", port)
    return await chromadb.AsyncHttpClient("127.0.0.1", port)
