"""Agents of LlamaIndex that another instrumentation traces as well: spans of calls and tools, and sums of the task."""

from __future__ import annotations

from typing import Any

import pytest

from agents_beside import OURS, THEIRS, compare_attributes, every_order, run_agents

pytest.importorskip("openinference.instrumentation.llama_index", reason="they are not installed here")
CELLS: dict[str, dict[str, Any]] = {
    # Two more of its spans have the kind of a model's: of the method that prepares a request.
    "OpenInference": {**THEIRS, "models": {"theirs": 4}},
    "OpenLLMetry": OURS,
}
LOGGED = {"OpenLLMetry": ["opentelemetry.context: Failed to detach context"]}  # without us, too


@every_order
@pytest.mark.parametrize("peer", CELLS)
def test_agent_beside_a_peer_is_counted_once(peer: str, order: str) -> None:
    retrieved = {"models": {}, "tools": {}, "tokens": {}, "sums": [[0, 0, None, None, 0, 0]]}
    ways = {**dict.fromkeys(("run", "stream"), CELLS[peer]), "retrieve": retrieved}
    assert run_agents("llama_index", peer, order) == {"ways": ways, "errors": LOGGED.get(peer, []), "private": []}


@every_order
def test_spans_of_openinference_have_all_that_ours_have(order: str) -> None:
    assert compare_attributes("llama_index", "OpenInference", order) == {"openinference.instrumentation.llama_index"}
