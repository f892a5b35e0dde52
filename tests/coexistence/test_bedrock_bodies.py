"""InvokeModel in every family of models, and knowledge bases, beside each instrumentation of Bedrock, in both orders.

One span a call that has our identity and the answer, except where a row says otherwise.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from otel_agentops._foreign import SCOPE

HERE = Path(__file__).parent
CLIENTS = HERE.parent / "clients"
PEERS = ("official", "OpenLLMetry", "OpenInference")
pytestmark = pytest.mark.xdist_group("bedrock")

# What is not one span of theirs with identity and answer: [whose, identity, answer] of each span, and why.
THEIRS, OURS = [["theirs", True, True]], [["ours", True, True]]
BESIDE_RPC = [["ours", True, True], ["theirs", False, False]]
ENDED = [["theirs", True, False]]
LOST: list[Any] = []
ROWS: dict[str, dict[str, list[Any]]] = {
    # Its spans of knowledge bases are remote procedure calls, as those of every other service: no GenAI spans.
    "official": dict.fromkeys(["retrieve", "generate", "stream generate"], BESIDE_RPC),
    # Its wrapper of these streams fails, logs that, and never ends the span: nor does it without us.
    "OpenLLMetry": {
        **dict.fromkeys(["stream titan", "stream command", "stream command-r", "stream jamba", "stream hidden"], LOST),
        # It does not observe knowledge bases.
        **dict.fromkeys(["retrieve", "generate", "stream generate"], OURS),
    },
    # It ends these spans before the first chunk is read: they have the request's identity, not the answer's.
    "OpenInference": dict.fromkeys(
        [
            f"stream {family}"
            for family in (
                "titan", "llama", "mistral", "mistral chat", "command", "command-r", "deepseek", "jamba", "unknown"
            )
        ],
        ENDED,
    ),
}  # fmt: skip


@functools.cache
def cells() -> dict[str, Any]:
    folders = (HERE, CLIENTS, CLIENTS / "bedrock")
    ended = subprocess.run(
        [sys.executable, HERE / "bedrock_cell.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def told(span: dict[str, Any]) -> list[Any]:
    """Whose it is, and whether it has our identity and what the answer says."""
    attributes = span["attributes"]
    lookup = attributes.get("gen_ai.operation.name") == "retrieval" or "otel_agentops.index.name" in attributes
    answered = "otel_agentops.retrieval.document.count" if lookup else "otel_agentops.model.resolution"
    answers = answered in attributes or "otel_agentops.model.resolution" in attributes
    return ["ours" if span["scope"] == SCOPE else "theirs", "otel_agentops.attempt.count" in attributes, answers]


@pytest.mark.parametrize("order", ["ours", "theirs"])
@pytest.mark.parametrize("peer", PEERS)
def test_one_span_a_call(peer: str, order: str) -> None:
    made = cells()[f"{peer}, {order}"]
    found = {call: sorted(map(told, spans)) for call, spans in made.items()}
    assert found == {call: ROWS[peer].get(call, THEIRS) for call in made}


def test_what_is_lost_is_lost_without_us() -> None:
    alone = cells()["OpenLLMetry, alone"]
    assert [call for call, row in ROWS["OpenLLMetry"].items() if row is LOST and alone[call]] == []


def test_what_the_official_one_forgets_is_ended_for_it() -> None:
    """Streams of the families that it does not know: alone it never ends their spans."""
    alone = cells()["official, alone"]
    forgotten = [call.partition(" ")[2] for call, spans in alone.items() if not spans]
    assert forgotten == [
        "llama", "mistral", "mistral chat", "command", "command-r", "deepseek", "jamba", "gpt-oss", "hidden", "unknown"
    ]  # fmt: skip
