"""Agents of frameworks that another instrumentation traces as well: spans of calls and tools, and sums of the task."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from cell import CLIENTS, HERE

if os.environ.get("AGENTOPS_END") != "coexistence" and importlib.util.find_spec("sentry_sdk") is None:
    pytest.skip('sentry-sdk is not installed here: `make ends ARGS="--client coexistence"`', allow_module_level=True)
SUMS = [[2, 1, 22, 10]]  # model calls, tools, tokens in and out
THEIRS = {"models": {"theirs": 2}, "tools": {"theirs": 1}, "tokens": {"theirs": 2}, "sums": SUMS}
OURS = {"models": {"ours": 2}, "tools": {"ours": 1}, "tokens": {"ours": 2}, "sums": SUMS}
BOTH = {"ours": 2, "theirs": 2}
UNNAMED = {**OURS, "tokens": BOTH}  # their span does not say that it is a call of a model
AGENT_WAYS = ("chat", "chat stream", "responses", "responses stream")
# Their span of an async run is not found, so that there are two.
LANGFUSE_ASYNC = {**OURS, "models": BOTH, "tools": {"ours": 1, "theirs": 1}}
CELLS: dict[tuple[str, str], dict[str, Any]] = {
    ("openai_agents", "OpenInference"): dict.fromkeys(AGENT_WAYS, THEIRS),
    ("openai_agents", "OpenLLMetry"): dict.fromkeys(AGENT_WAYS, THEIRS),
    ("openai_agents", "logfire"): {
        **dict.fromkeys(AGENT_WAYS[:2], UNNAMED),
        **dict.fromkeys(AGENT_WAYS[2:], {**THEIRS, "tools": {"ours": 1}}),
    },
    ("openai_agents", "sentry"): dict.fromkeys(AGENT_WAYS, OURS),
    ("pydantic_ai", "logfire"): dict.fromkeys(("run", "stream"), THEIRS),
    ("langgraph", "Langfuse"): {
        "invoke": {**THEIRS, "tools": {"ours": 1, "theirs": 1}},
        "ainvoke": LANGFUSE_ASYNC,
        "astream": LANGFUSE_ASYNC,
    },
    ("langgraph", "sentry"): dict.fromkeys(("invoke", "ainvoke", "astream"), OURS),
}


@pytest.mark.parametrize("order", [pytest.param("ours-first", marks=pytest.mark.slow), "theirs-first"])
@pytest.mark.parametrize(("framework", "peer"), CELLS)
def test_agent_beside_a_peer_is_counted_once(framework: str, peer: str, order: str) -> None:
    path = os.pathsep.join(map(str, (HERE, CLIENTS, CLIENTS / "langgraph")))
    ended = subprocess.run(
        [sys.executable, HERE / "agents_program.py", framework, peer, order],
        env={**os.environ, "PYTHONPATH": path, "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    results = json.loads(ended.stdout.splitlines()[-1])
    traced = ["gen_ai.chat", "gen_ai.execute_tool", "gen_ai.invoke_agent"] if peer == "sentry" else []
    assert results == {"ways": CELLS[framework, peer], "errors": [], "sentry": traced}
