"""Crews that another instrumentation traces as well: spans of calls and tools, and sums of the task."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents_beside import OURS, every_order, run_agents

pytest.importorskip("openinference.instrumentation.crewai", reason="they are not installed here")
ONE_AGENT = {**OURS, "sums": [[2, 1, 22, 10, 1, 1]]}
CELLS = {"OpenInference": {**ONE_AGENT, "tools": {"theirs": 1}}, "OpenLLMetry": ONE_AGENT, "itself": ONE_AGENT}


@every_order
@pytest.mark.parametrize("peer", CELLS)
def test_crew_beside_a_peer_is_counted_once(peer: str, order: str, tmp_path: Path) -> None:
    results = run_agents("crewai", peer, order, CREWAI_STORAGE_DIR=str(tmp_path))
    private = results.pop("private")
    assert results == {"ways": dict.fromkeys(("kickoff", "akickoff", "stream"), CELLS[peer]), "errors": []}
    assert ("Crew Created" in private) == (peer == "itself")  # its own telemetry, which others do not see
