"""Graphs beside other instrumentations of LangChain: one span a tool and a model call, and sums that are exact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langgraph_ways import WAYS

pytest.importorskip("openinference.instrumentation.langchain", reason="they are not installed here")
PEERS = {
    "official": "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
    "OpenLLMetry": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    "OpenInference": "openinference.instrumentation.langchain:LangChainInstrumentor",
}
PROGRAM = Path(__file__).with_name("beside_program.py")


def run_program(peer: str, order: str, **variables: str) -> dict[str, Any]:
    command = [sys.executable, str(PROGRAM), PEERS[peer], order]
    environ = {**os.environ, **variables}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    results: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return results


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("peer", PEERS)
def test_tool_and_call_have_one_span(peer: str, order: str) -> None:
    whole = {"tools": 1, "hashed tools": 1, "models": 2, "sums": [2, 1, 0, 22, 10]}
    failing = {"tools": 1, "hashed tools": 1, "models": 1, "sums": [1, 1, 1, 11, 5]}
    assert run_program(peer, order) == {**dict.fromkeys(WAYS, whole), "failing tool": failing}


def test_mode_own_asks_for_both() -> None:
    results = run_program("OpenLLMetry", "first", OTEL_AGENTOPS_MODE="own")
    assert {result["tools"] for result in results.values()} == {2}
