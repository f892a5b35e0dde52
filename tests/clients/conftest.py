"""Everything that an installation emits while a real SDK talks to the provider.

A folder of a client defines the fixture `instrumentor`; `seen` is then what it emits. A client that is not installed
here is left out, in one line that says so: `make ends` tests it, in environments where nothing is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from both import KINDS
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from sent_content import ContentSink, record_content

import ends
from otel_agentops.testing import Capture, capture


class LeftOut(pytest.Collector):
    """The tests of a client that is not here; not a Directory, because of one the conftest is imported first."""

    def collect(self) -> Iterator[pytest.Item]:
        command = f'make ends ARGS="--client {self.path.name}"'
        pytest.skip(
            f"{ends.find_lacking(self.path.name)} is not installed here: `{command}` tests it", allow_module_level=True
        )


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if path.name == os.environ.get("AGENTOPS_END") or ends.find_lacking(path.name) is None:
        return None
    return LeftOut.from_parent(parent, name=path.name, path=path)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seen(instrumentor: BaseInstrumentor) -> Iterator[Capture]:
    with capture(instrumentor) as everything:
        yield everything


@pytest.fixture
def content(instrumentor: BaseInstrumentor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """Everything that is emitted if content is asked for on spans."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    with capture(instrumentor) as everything:
        yield everything


@pytest.fixture
def sink(instrumentor: BaseInstrumentor) -> Iterator[ContentSink]:
    with record_content(instrumentor) as recorded:
        yield recorded
