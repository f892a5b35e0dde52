"""The flight recorder keeps its goals for bytes on the disk and for the work that it adds to the caller's thread."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    """What the bench prints, by the first word of each line."""
    command = [sys.executable, "-m", "bench.recorder", "bytecodes", "bytes"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: ast.literal_eval(values) for name, _, values in lines}


@pytest.mark.parametrize(("service", "goal"), [("busy", 800), ("idle", 1500)])
def test_call_takes_few_bytes_on_the_disk(figures: dict[str, dict[str, float]], service: str, goal: int) -> None:
    assert figures[service]["wire, bytes/call"] > 40_000
    assert 500 < figures[service]["on disk, bytes/call"] <= goal


def test_recorder_adds_few_bytecodes_to_a_call(figures: dict[str, dict[str, float]]) -> None:
    """A limit a fifth above what was measured: so many more take their microseconds."""
    assert 100 < figures["bytecodes"]["added"] <= 570
