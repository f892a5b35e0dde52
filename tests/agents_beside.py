"""Agents of frameworks that another instrumentation traces as well: a program for each, and what it is to print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDERS = [Path(__file__).parent / name for name in ("coexistence", "clients", "clients/langgraph")]
SUMS = [[2, 1, 22, 10, 0, 0]]  # model calls, tools, tokens in and out, agents of the task, their depth
THEIRS = {"models": {"theirs": 2}, "tools": {"theirs": 1}, "tokens": {"theirs": 2}, "sums": SUMS}
OURS = {"models": {"ours": 2}, "tools": {"ours": 1}, "tokens": {"ours": 2}, "sums": SUMS}
# What counts no call, tool or token: retrievals alone.
RETRIEVED = {"models": {}, "tools": {}, "tokens": {}, "sums": [[0, 0, None, None, 0, 0]]}
every_order = pytest.mark.parametrize("order", [pytest.param("ours-first", marks=pytest.mark.slow), "theirs-first"])


def run_agents(framework: str, peer: str, order: str, **variables: str) -> dict[str, Any]:
    """Return what each way to run an agent makes, and what was logged as an error."""
    ended = subprocess.run(
        [sys.executable, FOLDERS[0] / "agents_program.py", framework, peer, order],
        env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(map(str, FOLDERS)), "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    results: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return results


def compare_attributes(framework: str, peer: str, order: str) -> tuple[set[str], set[str]]:
    """Return the makers of spans beside a peer, and what theirs lack of ours alone; the rest is held to be the same."""
    runs = [run_agents(framework, each, order, SHOW_ATTRIBUTES="1")["ways"] for each in ("-", peer)]
    alone, beside = ([span for way in ways.values() for span in way] for ways in runs)
    assert {span.pop("maker") for span in alone} == {"otel_agentops"}
    makers = {span.pop("maker") for span in beside}
    for span in (*alone, *beside):
        del span["otel_agentops.task.id"]
        span.pop("gen_ai.response.time_to_first_chunk", None)
    pairs = list(zip(alone, beside, strict=True))
    assert [{key: ours[key] for key in ours if key in theirs} for ours, theirs in pairs] == beside
    return makers, {key for ours, theirs in pairs for key in ours if key not in theirs}
