"""A real MCP server, in this process and in one of its own, with what our instrumentation of the client emits."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_sessions import (
    IS_2,
    connect_by_stdio,
    connect_by_streams,
    connect_in_memory,
    serve_by_http,
    serve_by_stdio,
)

from otel_agentops.frameworks.mcp import Instrumentor
from otel_agentops.testing import Capture


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture(params=[connect_by_stdio, connect_in_memory, connect_by_streams])
def connect(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[connect_in_memory, connect_by_streams])
def connect_to(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[serve_by_stdio, serve_by_http])
def serve(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def native(seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the spans that 2.x makes by itself in `seen` as well."""
    if IS_2:
        import mcp.shared._otel

        monkeypatch.setattr(mcp.shared._otel, "_tracer", seen.tracer_provider.get_tracer("mcp-python-sdk"))
