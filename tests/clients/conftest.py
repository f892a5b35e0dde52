"""Everything that an installation emits while a real SDK talks to the provider.

A folder of a client defines the fixture `instrumentor`; `seen` is then what it emits.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from both import KINDS
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops.testing import Capture, capture


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seen(instrumentor: BaseInstrumentor) -> Iterator[Capture]:
    with capture(instrumentor) as everything:
        yield everything
