"""One collector with the overlay for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from overlay_signals import QUICK, Sender, errors

import stack


@pytest.fixture(scope="session")
def collector(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Collector]:
    configs = [stack.BASE, stack.OVERLAY, *QUICK]
    with stack.collector(configs, tmp_path_factory.mktemp("collector"), {"OTEL_AGENTOPS_FLUSH": "200ms"}) as running:
        yield running
        assert errors(running) == [], "the overlay writes error lines, which would be one for each span"


@pytest.fixture(scope="session")
def sender(collector: stack.Collector) -> Sender:
    return Sender(collector.otlp)


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    """A service name of this test's own: the collector is shared."""
    return request.node.name
