"""The real ibm-watsonx-ai, sync and async, on a fake provider, with what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from watsonx_subject import WatsonxSubject

from otel_agentops.clients.watsonx import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as found:
        found.alias("granite-x", "granite-x-0309")
        yield found


@pytest.fixture
async def ibm(provider: FakeProvider, seen: Capture) -> Any:
    """A client whose transport tries three times more."""
    return WatsonxSubject().client("sync", provider, retries=3)
