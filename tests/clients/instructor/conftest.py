"""Real clients of instructor on a fake provider whose first answers do not fit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_agentops.clients import anthropic, openai
from otel_agentops.frameworks import instructor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(openai.Instrumentor(), anthropic.Instrumentor(), instructor.Instrumentor()) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running
