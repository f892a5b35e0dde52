"""The real Chroma: its engine in this process, and a server of it on loopback, with what our instrumentation emits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loopback import find_free_port, wait_for_port
from otel_agentops.stores.chromadb import Instrumentor

os.environ["ANONYMIZED_TELEMETRY"] = "False"  # read when a client is made; no test leaves the machine


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of a server."""
    number = find_free_port()
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--port", str(number)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for_port(number, server)
            yield number
        finally:
            server.terminate()


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
