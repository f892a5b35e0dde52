"""The programs that a test of the lock file may need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import toolchain


def _needed(name: str) -> Path:
    """A program, or the test is skipped with the reason; with CI=true that is a failure."""
    try:
        return toolchain.find(name, make=False)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return _needed("otelcol")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return _needed("prometheus")
