"""Beside others that trace this client: a span for each call of the model, theirs where they have made one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from both import done
from google_genai_subject import GoogleGenaiSubject

from otel_agentops.clients.google_genai import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

PEERS = GoogleGenaiSubject.peers


def weather(town: str) -> str:
    """The weather in a town."""
    return "sunny"


def once_a_tool(call: Call) -> Answer:
    asked = Answer(text="", tool_calls=(ToolCall("weather", '{"town": "Rome"}'),))
    return Answer() if "functionResponse" in str(call.body) else asked


@pytest.fixture(params=[f"{order} {peer}" for peer in PEERS for order in ("before", "after")])
def beside(request: pytest.FixtureRequest) -> Iterator[Capture]:
    """Installed before or after a peer, whatever versions of the client that one says it supports."""
    order, _, peer = str(request.param).partition(" ")
    module, _, name = PEERS[peer].partition(":")
    theirs = getattr(pytest.importorskip(module, reason=f"{peer} is not installed"), name)()
    both = (Instrumentor(), theirs) if order == "before" else (theirs, Instrumentor())
    with capture(*both) as seen:
        yield seen


def told(seen: Capture) -> list[str]:
    """The names of the spans that have our identity and an answer."""
    return [found["name"] for found in seen.spans if "otel_agentops.model.resolution" in found["attributes"]]


async def read(stream: Any, kind: str) -> None:
    """By the kind of client: the stream of a peer claims to be both."""
    if kind == "async":
        async for _ in stream:
            pass
    else:
        for _ in stream:
            pass


async def test_peer_spans_of_a_call_and_a_stream_are_enriched(
    provider: FakeProvider, beside: Capture, kind: str, gemini: Any
) -> None:
    await done(gemini.models.generate_content(model="gemini-x", contents="hi"))
    await read(await done(gemini.models.generate_content_stream(model="gemini-x", contents="hi")), kind)
    assert len(beside.spans) == len(told(beside)) == 2
    assert [found["attributes"]["otel_agentops.attempt.statuses"] for found in beside.spans] == [[200]] * 2


@pytest.mark.parametrize("model", ["gemini-x", "publishers/google/models/gemini-x", "google/gemini-x"])
async def test_peer_spans_match_every_spelling_of_a_model(beside: Capture, vertex: Any, model: str) -> None:
    """They call the model what the application does, we as it is on the wire."""
    await done(vertex.models.generate_content(model=model, contents="hi"))
    assert len(beside.spans) == len(told(beside)) == 1


async def test_rounds_of_function_calling(provider: FakeProvider, beside: Capture, gemini: Any) -> None:
    """Theirs is one span over all rounds, which becomes the first round's; each further one has a span of ours."""
    provider.answer(once_a_tool)
    await done(gemini.models.generate_content(model="gemini-x", contents="hi", config={"tools": [weather]}))
    assert len(told(beside)) == len(provider.requests) == 2
    assert [found["name"] for found in beside.spans].count("execute_tool weather") == 1
