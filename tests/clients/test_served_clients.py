"""Every client gets its recorded answers from the replay server, whole and streamed, as from the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from every_client import CLIENTS, load_subject, make_bench, record_calls, run_provider

from otel_agentops.recorder.commands.bundle import Bundle, make_bundle
from otel_agentops.recorder.commands.serving import ReplayServer
from otel_agentops.recorder.parts import serialise
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench
from otel_agentops.testing.fake_provider import Status
from otel_agentops.testing.subject import Subject

NOT_HTTP = {"xai": "its protocol is gRPC, which the replay server does not speak"}


@pytest.fixture(params=CLIENTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param in NOT_HTTP:
        pytest.skip(NOT_HTTP[request.param])
    return load_subject(request.param)


@pytest.fixture
def bench(subject: Subject) -> Iterator[Bench]:
    with run_provider(subject) as provider:
        yield make_bench(subject, "sync", provider)


def record(bench: Bench, folder: Path, use: Any) -> tuple[Any, Bundle]:
    """Return what a call returns, and its recording."""
    with record_calls(bench.subject, Capture(), folder) as read_back:
        result = use(bench)
        return result, make_bundle(read_back(), "test")


def play(bench: Bench, bundle: Bundle, use: Any) -> Any:
    with ReplayServer(bundle) as server:
        result = use(Bench(bench.subject, "sync", server))  # type: ignore[arg-type]
        assert (server.misses, server.waiting) == ([], [])
    return result


WAYS = {"chat": lambda bench: bench.chat(), "stream": lambda bench: bench.stream()}


@pytest.mark.parametrize("way", WAYS)
def test_answer_is_played_to_the_client(bench: Bench, way: str, tmp_path: Path) -> None:
    result, bundle = record(bench, tmp_path, WAYS[way])
    assert dump(play(bench, bundle, WAYS[way])) == dump(result)


def test_refusal_and_retry_are_played(bench: Bench, tmp_path: Path) -> None:
    if "retries" in bench.subject.missing or not bench.subject.attempts_known:
        pytest.skip(bench.subject.missing.get("retries", "the client repeats requests without anybody seeing it"))
    bench.provider.script(Status(429, retry_after=0.01))
    result, bundle = record(bench, tmp_path, lambda bench: bench.chat(retries=1))
    assert dump(play(bench, bundle, lambda bench: bench.chat(retries=1))) == dump(result)


def dump(result: Any) -> str:
    """Return a client's result as JSON, without the headers of the response, which have the time."""
    data = serialise(result)
    return json.dumps(drop_headers(json.loads(data)))


def drop_headers(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(drop_headers, value))
    if isinstance(value, dict):
        names = value.keys() - {"ResponseMetadata", "sdkHttpResponse", "sdk_http_response"}
        return {name: drop_headers(value[name]) for name in sorted(names)}
    return value
