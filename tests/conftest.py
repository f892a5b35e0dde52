"""A provider with two aliases. The guard is loud under test: a telemetry step that fails raises where it failed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fake_provider import FakeProvider

os.environ.setdefault("OTEL_AGENTOPS_STRICT", "1")  # read when otel_agentops is imported


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.alias("claude-x", "claude-x-20260301")
        yield running
