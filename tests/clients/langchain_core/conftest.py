"""What our instrumentation of LangChain's tools emits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture, capture


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(Instrumentor()) as everything:
        yield everything
