"""`record serve` with every client: from the recording alone it gets what it got before, whole or as a stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from both import KINDS
from every_client import CLIENTS, load_subject, make_bench, record_calls, run_provider

from otel_agentops.recorder.commands.bundle import make_bundle
from otel_agentops.recorder.commands.serving import ReplayServer
from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.parts import serialise
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.subject import ChatRequest, Subject

REQUEST = ChatRequest(user="Grüße, 🌍 \\ \" '")
_HEADERS = ("ResponseMetadata", "sdkHttpResponse")  # of bedrock and Google, beside the answer
CLIENTS_OF_HTTP = [client for client in CLIENTS if client != "xai"]  # the server speaks no gRPC


@pytest.fixture(params=CLIENTS_OF_HTTP)
def subject(request: pytest.FixtureRequest) -> Subject:
    return load_subject(request.param)


def read_answer(item: object) -> object:
    """Return what an object of a client has as plain values, without the headers of the transport."""
    value = json.loads(serialise(item))
    return {name: each for name, each in value.items() if name not in _HEADERS} if isinstance(value, dict) else value


def ask(bench: Bench, way: str) -> Any:
    return [bench.chat(REQUEST)] if way == "whole" else bench.stream(REQUEST)


@pytest.mark.parametrize("way", ["whole", "stream"])
@pytest.mark.parametrize("kind", KINDS)
def test_client_gets_its_recorded_answer(subject: Subject, kind: str, way: str, tmp_path: Path) -> None:
    with run_provider(subject) as provider, record_calls(subject, Capture(), tmp_path) as read_back:
        before = ask(make_bench(subject, kind, provider), way)
        bundle = make_bundle([entry for entry in read_back() if isinstance(entry, Call)], "all")
    with ReplayServer(bundle) as server:
        again = ask(make_bench(subject, kind, server), way)  # type: ignore[arg-type]  it has the same addresses
        assert server.misses == []
    assert list(map(read_answer, again)) == list(map(read_answer, before))
