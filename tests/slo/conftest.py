"""promtool, or the reason why a test is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import toolchain


@pytest.fixture(scope="session")
def promtool() -> Path:
    """With CI=true a missing one is a failure."""
    try:
        return toolchain.find("promtool", make=False)
    except toolchain.UnavailableError as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
