"""The real FAISS, and what our instrumentation of it emits."""

from __future__ import annotations

import pytest

from otel_agentops.stores.faiss import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()
