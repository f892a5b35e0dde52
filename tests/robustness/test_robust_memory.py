"""Memory is flat over 100,000 calls: a third of them whole, a third streamed, a third streams that are dropped.

The kinds take turns with other long runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = 33_334
PROGRAM = Path(__file__).with_name("memory_program.py")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/self/statm")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.rotation("long runs", f"memory, {kind}", 9, seconds=66))
        for kind in ("plain", "streamed", "dropped")
    ],
)
def test_memory_does_not_grow_with_calls(kind: str) -> None:
    """A tenth of a block a call would be 1,600: what is left is what caches and the interpreter do."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), kind, str(CALLS)],
        # One arena: what threads leave in arenas of their own differs from run to run by tens of MiB.
        env={**os.environ, "OTEL_AGENTOPS_STRICT": "1", "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["made"] == found["ended"] >= CALLS
    assert found["blocks"] < 1600, found
    assert found["resident"] < 8192, found  # KiB, so 250 bytes a call
