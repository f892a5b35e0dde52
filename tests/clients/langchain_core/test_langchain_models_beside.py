"""A chat model without a client beside other instrumentations of LangChain: one span and one count of tokens a call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from house_models import WAYS

pytest.importorskip("openinference.instrumentation.langchain", reason="they are not installed here")
PEERS = {
    "official": "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
    "OpenLLMetry": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    "OpenInference": "openinference.instrumentation.langchain:LangChainInstrumentor",
}
PROGRAM = Path(__file__).with_name("models_beside_program.py")


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("peer", PEERS)
def test_call_has_one_span(peer: str, order: str) -> None:
    command = [sys.executable, str(PROGRAM), PEERS[peer], order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    one_call = {"calls": 1, "sums": [1, 12, 3], "values": ["model/house-1", "prompt/weather/unknown", "params/house-1"]}
    expected = {f"{way} {kind}": one_call for way in WAYS for kind in ("Plain", "Streaming")}
    results = json.loads(done.stdout.splitlines()[-1])
    identified = {result.pop("identified") for result in results.values()}
    assert results == expected
    assert peer != "OpenInference" or identified == {1}
