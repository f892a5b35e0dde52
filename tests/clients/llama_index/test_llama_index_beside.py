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
    # A model of the house, and its method around the call.
    models = {"theirs": 4} if peer == "OpenInference" else {"ours": 2}
    asked = {"models": models, "tools": {}, "tokens": {}, "sums": [[2, 0, None, None, 2, 1]]}
    ways = {**dict.fromkeys(("run", "stream"), CELLS[peer]), "query": asked}
    assert run_agents("llama_index", peer, order) == {"ways": ways, "errors": LOGGED.get(peer, []), "private": []}


@every_order
def test_spans_of_openinference_have_what_ours_have(order: str) -> None:
    """Of a stream of a model of the house it ends the span before we see the end."""
    makers, missing = compare_attributes("llama_index", "OpenInference", order)
    assert makers == {"openinference.instrumentation.llama_index"}
    assert missing == {"otel_agentops.model.resolution"}
