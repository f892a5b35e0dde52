"""Two recorded tasks: a good one of the old model, and a bad one of the new model behind the same alias."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_tasks import record_two_refunds

from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture(scope="session")
def refunds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder's directory with both; nobody writes there."""
    folder = tmp_path_factory.mktemp("recorder")
    with FakeProvider() as provider:
        provider.alias("gpt-x", "gpt-x-2026-03-01")
        record_two_refunds(folder, provider)
    return folder
