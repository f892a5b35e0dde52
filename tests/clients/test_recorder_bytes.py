"""The flight recorder with every client: what is read back is what the provider received, byte for byte."""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import inspect
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from both import KINDS
from every_client import CLIENTS, ReadBack, load_subject, make_bench, record_calls, run_provider

from otel_agentops._deferred_work import run_deferred
from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.reading import read_chunks, read_parts, read_request, read_response, read_stream
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import Capture
from otel_agentops.testing.contract import Bench, await_result
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import ChatRequest, Subject

REQUEST = ChatRequest(user="Grüße, 🌍 \\ \" '")


@pytest.fixture(params=CLIENTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return load_subject(request.param)


@pytest.fixture
def provider(subject: Subject) -> Iterator[FakeProvider]:
    with run_provider(subject) as running:
        yield running


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, subject: Subject, provider: FakeProvider) -> Bench:
    return make_bench(subject, request.param, provider)


@pytest.fixture
def seen() -> Capture:
    return Capture()


@pytest.fixture
def read_back(subject: Subject, seen: Capture, tmp_path: Path) -> Iterator[ReadBack]:
    with record_calls(subject, seen, tmp_path) as read:
        yield read


def read_only_call(read_back: ReadBack) -> Call:
    calls = [entry for entry in read_back() if isinstance(entry, Call)]
    assert len(calls) == 1
    return calls[0]


def hash_requests(call: Call) -> list[str]:
    bodies = [read_request(call, number) for number in range(len(call.attempts) or 1)]
    return [hashlib.sha256(body or b"").hexdigest() for body in bodies]


def test_request_is_rebuilt_byte_for_byte(bench: Bench, read_back: ReadBack, seen: Capture) -> None:
    bench.chat(REQUEST)
    call = read_only_call(read_back)
    assert hash_requests(call) == [request.sha256 for request in bench.provider.requests]
    assert [part.sha256 for part in read_parts(call) if part.name == "request"] == hash_requests(call)
    assert read_response(call)
    assert set(call.missing) <= {"headers", "attempts", "answered_model"}
    states = {span["attributes"].get(A.CONTENT_REF): span["attributes"].get(A.CONTENT_STATE) for span in seen.spans}
    assert states[call.ref] == "recorded"


def test_requests_of_all_attempts_are_rebuilt(bench: Bench, read_back: ReadBack) -> None:
    if not bench.subject.attempts_known:
        pytest.skip("the client repeats requests without anybody seeing it")
    if "retries" in bench.subject.missing:
        pytest.skip(bench.subject.missing["retries"])
    if (bench.subject.name, bench.kind) == ("watsonx", "async"):
        pytest.skip("a second try of an async call fails in the SDK itself: RuntimeError")
    bench.provider.script(Status(429, retry_after=0.01))
    bench.chat(REQUEST, retries=1)
    call = read_only_call(read_back)
    assert hash_requests(call) == [request.sha256 for request in bench.provider.requests]
    assert [attempt.status for attempt in call.attempts] == [429, 200]


# Clients whose whole answers nobody has as bytes when the call ends.
ANSWERS_AS_OBJECTS = {"xai"}


def test_whole_answer_is_the_bytes_received(bench: Bench, read_back: ReadBack) -> None:
    if bench.subject.name in ANSWERS_AS_OBJECTS:
        pytest.skip("the client's object alone is there")
    bench.chat(REQUEST)
    call = read_only_call(read_back)
    assert [part.form for part in read_parts(call) if part.name == "response"] == ["wire"]


# What the client does with the body of an error response, if nobody can have it any more.
WITHOUT_ERROR_BODY = {
    "xai": "gRPC has a status and a text, and no body",
}


def test_body_of_an_error_response_is_recorded(bench: Bench, read_back: ReadBack) -> None:
    if bench.subject.name in WITHOUT_ERROR_BODY:
        pytest.skip(WITHOUT_ERROR_BODY[bench.subject.name])
    if (bench.subject.name, bench.kind) == ("huggingface_hub", "async") and version("huggingface_hub") < "1":
        pytest.skip("before 1 the async client closes the response of aiohttp and keeps its parsed JSON alone")
    bench.provider.script(Status(400, message="the order A-17 is unknown"))
    with pytest.raises(Exception, match=r"(?s).+"):
        bench.chat(REQUEST)
    call = read_only_call(read_back)
    assert call.error_type and [attempt.status for attempt in call.attempts] in ([400], [])
    assert b"the order A-17 is unknown" in (read_response(call) or b"")
    (part,) = [part for part in read_parts(call) if part.name == "response"]
    assert part.form == "wire"


def test_failure_while_another_is_handled_has_no_body_of_that(tmp_path: Path) -> None:
    subject = load_subject("openai")
    with run_provider(subject) as provider, record_calls(subject, Capture(), tmp_path) as read_back:
        bench = make_bench(subject, "sync", provider)
        provider.script(Status(400, message="the order A-17 is unknown"))
        try:
            bench.chat(REQUEST)
        except Exception:  # noqa: BLE001  of the client's own class
            with pytest.raises(TypeError, match="not JSON serializable"):
                bench.chat(ChatRequest(user=object()))  # type: ignore[arg-type]
        refused, failed = (entry for entry in read_back() if isinstance(entry, Call))
    assert read_response(refused)
    assert (failed.error_type, read_response(failed)) == ("TypeError", None)


def test_stream_is_recorded_with_all_chunks(bench: Bench, read_back: ReadBack) -> None:
    items = bench.stream(REQUEST)
    call = read_only_call(read_back)
    assert hash_requests(call) == [request.sha256 for request in bench.provider.requests]
    chunks = read_chunks(call)
    assert len(chunks) >= len(items) > 1
    assert [chunk.time_ns for chunk in chunks] == sorted(chunk.time_ns for chunk in chunks)
    assert b"Hell" in b"".join(chunk.data for chunk in chunks)  # the provider cuts the word
    assert all(json.loads(chunk.data) is not None for chunk in chunks)


# Clients that do not show the response whose body streams, or have no body of httpx.
WITHOUT_STREAM_BYTES = {"bedrock", "huggingface_hub", "ollama", "watsonx", "xai"}


def test_bytes_of_a_stream_are_those_received(
    bench: Bench, read_back: ReadBack, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []
    for module, name in itertools.product(("httpx", "httpx2"), ("iter_raw", "aiter_raw")):
        if importlib.util.find_spec(module) is not None:
            owner = importlib.import_module(module).Response
            monkeypatch.setattr(owner, name, copy_bytes(getattr(owner, name), received))
    bench.stream(REQUEST)
    call = read_only_call(read_back)
    if bench.subject.name in WITHOUT_STREAM_BYTES:
        assert read_stream(call) is None
    elif (bench.subject.name, bench.kind) != ("google_genai", "async"):  # that reads by aiohttp, if it is there
        assert b"Hell" in b"".join(received)
        assert read_stream(call) == b"".join(received)
    assert read_response(call) is None


def test_stream_left_early_has_the_bytes_that_were_read(tmp_path: Path) -> None:
    subject = load_subject("openai")
    with run_provider(subject) as provider, record_calls(subject, Capture(), tmp_path) as read_back:
        stream = subject.stream(subject.client("sync", provider), REQUEST)
        next(iter(stream))
        del stream
        gc.collect()
        run_deferred()
        call = read_only_call(read_back)
    assert len(read_chunks(call)) == 1
    assert (read_stream(call) or b"").startswith(b'data: {"')


def test_bytes_of_a_stream_are_kept_in_the_mode_full_alone(tmp_path: Path) -> None:
    subject = load_subject("openai")
    with run_provider(subject) as provider, record_calls(subject, Capture(), tmp_path, "redacted") as read_back:
        make_bench(subject, "sync", provider).stream(REQUEST)
        call = read_only_call(read_back)
    assert read_stream(call) is None and read_chunks(call)


def copy_bytes(read: Any, received: list[bytes]) -> Any:
    """Return a method of httpx that keeps what comes from the network, below all that is patched."""

    def copy(self: Any, *args: Any) -> Iterator[bytes]:
        for data in read(self, *args):
            received.append(data)
            yield data

    async def copy_async(self: Any, *args: Any) -> AsyncIterator[bytes]:
        async for data in read(self, *args):
            received.append(data)
            yield data

    return copy_async if inspect.isasyncgenfunction(read) else copy


def test_raw_response_is_recorded(bench: Bench, read_back: ReadBack) -> None:
    if "raw" in bench.subject.missing:
        pytest.skip(bench.subject.missing["raw"])

    async def read(client: Any) -> None:
        await await_result(bench.subject.chat_raw(client, REQUEST))

    bench.run(read)
    call = read_only_call(read_back)
    assert hash_requests(call) == [request.sha256 for request in bench.provider.requests]
    assert "Hello" in (read_response(call) or b"").decode()
