"""A sink that records: the exact bytes of every request, each chunk and each answer, with no change of a client."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from both import KINDS
from every_client import load_subject, make_bench, run_provider

from otel_agentops import _config, _telemetry
from otel_agentops._observation import Observation
from otel_agentops.operations import Attempt
from otel_agentops.testing.contract import Bench, await_result
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import ChatRequest, Subject

REQUEST = ChatRequest(user="Grüße, 🌍")
CLIENTS = ("openai", "anthropic", "bedrock", "google_genai", "xai")


class Recorded(NamedTuple):
    """The facts that a recorder is told of one operation; of requests their SHA-256."""

    operation: Observation
    requests: list[str]
    statuses: list[int]
    chunks: list[object]
    answers: list[object]


class RecordingSink:
    """Keeps what it is told of the one operation of a test."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.ended_count = 0

    @property
    def only(self) -> Recorded:
        (recorded,) = self.recorded
        return recorded

    def started(self, observation: Observation) -> None:
        self.recorded.append(Recorded(observation, [], [], [], []))

    def request_sent(self, observation: Observation, content: Any) -> None:
        assert observation is self.only.operation
        data = content if isinstance(content, bytes) else content.SerializeToString()
        self.only.requests.append(hashlib.sha256(data).hexdigest())

    def attempt_finished(self, observation: Observation, attempt: Attempt) -> None:
        self.only.statuses.append(attempt.status)

    def chunk_received(self, observation: Observation, chunk: object) -> None:
        self.only.chunks.append(chunk)

    def response_received(self, observation: Observation, result: object) -> None:
        self.only.answers.append(result)

    def ended(self, observation: Observation) -> None:
        self.ended_count += 1


@pytest.fixture(params=CLIENTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return load_subject(request.param)


@pytest.fixture
def sink(subject: Subject) -> Iterator[RecordingSink]:
    recorder = RecordingSink()
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), sinks=[recorder]))
    instrumentor = subject.instrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield recorder
    instrumentor.uninstrument()
    _telemetry.replace_default(before)


@pytest.fixture
def provider(subject: Subject) -> Iterator[FakeProvider]:
    with run_provider(subject) as running:
        yield running


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, subject: Subject, provider: FakeProvider) -> Bench:
    return make_bench(subject, request.param, provider)


def test_request_bytes_of_an_answer_are_exact(bench: Bench, sink: RecordingSink) -> None:
    bench.chat(REQUEST)
    assert sink.only.requests == [call.sha256 for call in bench.provider.requests]
    assert len(sink.only.requests) == len(sink.only.answers) == 1


def test_request_bytes_of_every_attempt_are_exact(bench: Bench, sink: RecordingSink) -> None:
    if not bench.subject.attempts_known:
        pytest.skip("the client repeats requests without anybody seeing it")
    bench.provider.script(Status(429, retry_after=0.01))
    bench.chat(REQUEST, retries=1)
    assert sink.only.requests == [call.sha256 for call in bench.provider.requests]
    assert sink.only.statuses == [429, 200]


def test_request_bytes_of_a_stream_are_exact(bench: Bench, sink: RecordingSink) -> None:
    items = bench.stream(REQUEST)
    assert sink.only.requests == [call.sha256 for call in bench.provider.requests]
    assert len(sink.only.chunks) >= len(items) > 1


def test_request_bytes_of_a_raw_response_are_exact(bench: Bench, sink: RecordingSink) -> None:
    if "raw" in bench.subject.missing:
        pytest.skip(bench.subject.missing["raw"])

    async def read(client: Any) -> None:
        await await_result(bench.subject.chat_raw(client, REQUEST))

    bench.run(read)
    assert sink.only.requests == [call.sha256 for call in bench.provider.requests]
