"""The flight recorder with LiteLLM's routes: one entry a call, its bytes once and exact, whoever sends them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from every_client import ReadBack, record_calls
from litellm_subject import LitellmSubject, ThroughOpenai

from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.reading import read_chunks, read_parts, read_request, read_response, read_stream
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

ASK: Any = {"messages": [{"role": "user", "content": "Grüße, 🌍"}]}
UNSEEN = "openai alone"
Ask = Callable[..., None]


class WithoutOpenai(ThroughOpenai):
    """LiteLLM sends with openai's SDK, which nobody instruments."""

    instrumentor = LitellmSubject.instrumentor


# How each route is asked, with the fake provider's address, and the subject whose instrumentor is used.
ROUTES: dict[str, tuple[Callable[[FakeProvider], dict[str, Any]], LitellmSubject]] = {
    "own": (lambda at: {"model": "groq/m-x", "api_base": at.openai_url, "api_key": "k"}, LitellmSubject()),
    "anthropic": (
        lambda at: {"model": "anthropic/m-x", "api_base": at.anthropic_url, "api_key": "k"},
        LitellmSubject(),
    ),
    "openai": (lambda at: {"model": "openai/m-x", "api_base": at.openai_url, "api_key": "k"}, ThroughOpenai()),
    UNSEEN: (lambda at: {"model": "openai/m-x", "api_base": at.openai_url, "api_key": "k"}, WithoutOpenai()),
    "bedrock": (
        lambda at: {
            "model": "bedrock/converse/m-x",
            "aws_bedrock_runtime_endpoint": at.url,
            "aws_access_key_id": "a",
            "aws_secret_access_key": "s",
            "aws_region_name": "us-east-1",
        },
        LitellmSubject(),
    ),
}


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def read_back(library: Any, route: str, tmp_path: Path) -> Iterator[ReadBack]:
    library.in_memory_llm_clients_cache.flush_cache()  # of another loop
    with record_calls(ROUTES[route][1], Capture(), tmp_path) as read:
        yield read


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, library: Any, provider: FakeProvider, route: str) -> Ask:
    where = {"num_retries": 0, "timeout": 5.0, **ROUTES[route][0](provider)}

    async def ask_async(**options: Any) -> None:
        answer = await library.acompletion(**where, **ASK, **options)
        if options.get("stream"):
            _ = [chunk async for chunk in answer]

    def ask_sync(**options: Any) -> None:
        answer = library.completion(**where, **ASK, **options)
        if options.get("stream"):
            list(answer)

    if request.param == "sync":
        return ask_sync
    return lambda **options: asyncio.run(ask_async(**options))


def read_only_call(read_back: ReadBack) -> Call:
    (call,) = (entry for entry in read_back() if isinstance(entry, Call))
    return call


def hash_requests(call: Call) -> list[str]:
    parts = [part for part in read_parts(call) if part.name == "request"]
    assert {part.form for part in parts} <= {"wire"}
    bodies = [read_request(call, part.attempt) for part in parts]
    return [hashlib.sha256(body or b"").hexdigest() for body in bodies]


def list_forms(call: Call, name: str) -> list[str]:
    return [part.form for part in read_parts(call) if part.name == name]


def test_bytes_of_a_route_are_recorded_once(ask: Ask, provider: FakeProvider, read_back: ReadBack, route: str) -> None:
    ask()
    call = read_only_call(read_back)
    assert len(provider.requests) == 1
    if route == UNSEEN:  # the bytes are openai's own, and nobody claims to have them
        assert (hash_requests(call), list_forms(call, "response")) == ([], ["object"])
        assert {"request", "headers"} <= set(call.missing)
    else:
        assert hash_requests(call) == [provider.requests[0].sha256]
        assert list_forms(call, "response") == ["wire"] and not {"request", "headers"} & set(call.missing)
    assert b"Hello" in (read_response(call) or b"")


def test_stream_of_a_route_is_recorded_once(ask: Ask, provider: FakeProvider, read_back: ReadBack, route: str) -> None:
    ask(stream=True)
    call = read_only_call(read_back)
    assert hash_requests(call) == ([] if route == UNSEEN else [provider.requests[0].sha256])
    assert (list_forms(call, "chunks"), list_forms(call, "response")) == (["object"], [])
    assert b"Hell" in b"".join(chunk.data for chunk in read_chunks(call))  # the provider cuts the word
    assert (read_stream(call) is None) == (route == UNSEEN) and b"Hell" in (read_stream(call) or b"Hell")


def test_error_of_a_route_is_recorded_once(ask: Ask, provider: FakeProvider, read_back: ReadBack, route: str) -> None:
    provider.script(Status(400, message="the order A-17 is unknown"))
    with pytest.raises(Exception, match=r"(?s).+"):
        ask()
    call = read_only_call(read_back)
    assert hash_requests(call) == ([] if route == UNSEEN else [provider.requests[0].sha256])
    assert list_forms(call, "response") == ["wire"]
    assert b"the order A-17 is unknown" in (read_response(call) or b"")
