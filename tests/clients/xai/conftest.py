"""The real xai-sdk, sync and async, on a fake provider, with what our instrumentation of it emits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from xai_subject import XaiSubject

from otel_agentops.clients.xai import Instrumentor
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider.xai import XaiProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def provider() -> Iterator[XaiProvider]:
    with XaiProvider() as found:
        found.alias("grok-x", "grok-x-0309")
        yield found


@pytest.fixture
async def grok(kind: str, provider: XaiProvider, seen: Capture) -> Any:
    """A client that does not try again."""
    return XaiSubject().client(kind, provider)
