"""Prometheus and promtool, or the reason why a test is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import toolchain


def _needed(name: str) -> Path:
    """With CI=true a missing one is a failure."""
    try:
        return toolchain.find(name, make=False)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _needed("promtool")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return _needed("prometheus")


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return _needed("otelcol")
