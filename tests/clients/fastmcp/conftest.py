"""A real server of FastMCP in this process, with what the library and our instrumentations emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agentops.frameworks import fastmcp, mcp
from otel_agentops.testing import Capture, capture


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    with capture(mcp.Instrumentor(), fastmcp.Instrumentor()) as everything:
        # Both libraries ask for the global provider; `mcp` keeps the tracer that it was given.
        monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", everything.tracer_provider)
        monkeypatch.setattr("mcp.shared._otel._tracer", everything.tracer_provider.get_tracer("mcp-python-sdk"))
        yield everything
