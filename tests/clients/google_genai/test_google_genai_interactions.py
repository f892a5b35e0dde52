"""Interactions: what is asked of a model or an agent, what is known of how it ended, and who else traces them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from both import done
from content_schemas import read_words
from expected_gemini import parameters, whole
from google_genai_subject import GoogleGenaiSubject

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients import google_genai
from otel_agentops.clients.google_genai._interactions import read_interaction
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("google.genai._gaos") is None, reason="interactions are new in 2.9"
)
ENDED: Any = {
    "gen_ai__response__id": "int_fake",
    "gen_ai__response__finish_reasons": ["completed"],
    # Interactions do not have these.
    **{f"otel_agentops__param__{name}__source": None for name in ("topK", "frequencyPenalty", "presencePenalty")},
}
PEERS = {name: GoogleGenaiSubject.peers[name] for name in ("official", "OpenInference")}


async def read(stream: Any, kind: str) -> list[Any]:
    """By the kind of client: the stream of a peer claims to be both."""
    return [event async for event in stream] if kind == "async" else list(stream)


async def test_settings(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    """The same setting is the same parameter as in `generate_content`, where it is spelt otherwise."""
    given = {"max_output_tokens": 64, "top_p": 0.5, "seed": 7, "stop_sequences": ["END"], "thinking_level": "low"}
    await done(gemini.interactions.create(model="gemini-x", input="hi", generation_config=given, store=True))
    sent = {"maxOutputTokens": 64, "topP": 0.5, "stopSequences": ["END"], "thinkingLevel": "low"}
    asked = {
        "gen_ai__request__max_tokens": 64,
        "gen_ai__request__reasoning__level": "low",
        "gen_ai__request__seed": 7,
        "otel_agentops__param__seed__source": "explicit",
        "gen_ai__request__stop_sequences": ["END"],
        "gen_ai__request__top_p": 0.5,
    }
    assert seen.spans == [whole(provider, **ENDED, **asked, **parameters(**sent))]


async def test_follow_up_names_the_previous_interaction(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    before = {"previous_interaction_id": "int_0", "store": True}
    await done(gemini.interactions.create(model="gemini-x", input="hi", **before))
    assert seen.spans == [whole(provider, **ENDED, gen_ai__request__previous_response__id="int_0")]


async def test_agent_interaction_names_its_agent(provider: FakeProvider, seen: Capture, gemini: Any) -> None:
    await done(gemini.interactions.create(agent="deep-research-x", input="hi"))
    (only,) = seen.spans
    named = {"gen_ai__agent__name": "deep-research-x", "otel_agentops__model__resolution": "unreported"}
    expected = whole(provider, **ENDED, gen_ai__operation__name="invoke_agent", **named)
    unasked = ("gen_ai.request.model", "gen_ai.response.model")
    attributes = {name: value for name, value in expected["attributes"].items() if name not in unasked}
    attributes = {name: value for name, value in attributes.items() if value != "unset"}
    assert only == {**expected, "name": "invoke_agent", "attributes": attributes}


async def test_tools(seen: Capture, gemini: Any) -> None:
    """A function has the identity that it has everywhere; a server's credentials are none of it."""
    schema = {"type": "object", "properties": {"town": {"type": "string"}}}
    function = {"name": "weather", "description": "The weather.", "parameters": schema}
    server = {"type": "mcp_server", "name": "files", "url": "https://x.example/mcp"}
    offered = [
        {"type": "function", **function},
        {"type": "google_search"},
        {**server, "headers": {"authorization": "t"}},
    ]
    await done(gemini.interactions.create(model="gemini-x", input="hi", tools=offered))
    (only,) = seen.spans
    weather = {"name": "weather", "description": "The weather.", "input_schema": schema}
    search = {"name": "google_search", "settings": {"type": "google_search"}}
    expected = [weather, search, {"name": "files", "settings": server}]
    assert only["attributes"]["otel_agentops.tools.versions"] == [
        f"{each['name']}@{identity(each)}" for each in expected
    ]


async def test_requested_tool_calls_are_counted(provider: FakeProvider, seen: Capture, kind: str, gemini: Any) -> None:
    """A plain answer and a stream, whose arguments come in parts, ask for the same."""
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"town": "Rome"}'),)))
    with task("forecast", id="t1"):
        await done(gemini.interactions.create(model="gemini-x", input="hi"))
        await read(await done(gemini.interactions.create(model="gemini-x", input="hi", stream=True)), kind)
    first, second, root = seen.spans
    assert first["attributes"]["gen_ai.response.finish_reasons"] == ["requires_action"]
    assert second["attributes"]["gen_ai.response.finish_reasons"] == ["requires_action"]
    assert root["attributes"]["otel_agentops.task.tool_repeats"] == 2


async def test_attempts_of_an_interaction_are_recorded(provider: FakeProvider, seen: Capture, make: Any) -> None:
    provider.script(Status(503), Status(429, retry_after=0.02))
    client = make(retries=2)
    await done(client.interactions.create(model="gemini-x", input="hi"))
    tries = {"otel_agentops__attempt__count": 3, "otel_agentops__attempt__statuses": [503, 429, 200]}
    assert seen.spans == [whole(provider, **ENDED, **tries, otel_agentops__attempt__retry_after=[0.02])]


def test_background_interaction_has_no_finish_reason() -> None:
    assert read_interaction({"id": "int_1", "status": "queued", "model": "m"})[:2] == (
        "m",
        {"gen_ai.response.id": "int_1"},
    )


def test_failed_interaction_has_its_error_code() -> None:
    failed = {"id": "int_1", "status": "failed", "error": {"code": "internal", "message": "secret"}}
    assert read_interaction(failed).error == "internal"
    assert read_interaction({"status": "failed"}).error == "failed"


class StandIn:
    """For a response: the client's own tests read streams from such."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_stream_without_a_call_passes(seen: Capture) -> None:
    streaming = importlib.import_module("google.genai._gaos.utils.eventstreaming")
    stream = streaming.Stream(StandIn(), str)
    stream.close()
    assert stream.response.closed
    assert seen.spans == []


@pytest.fixture(params=[f"{order} {peer}" for peer in PEERS for order in ("before", "after")])
def beside(request: pytest.FixtureRequest) -> Iterator[Capture]:
    order, _, peer = str(request.param).partition(" ")
    module, _, name = PEERS[peer].partition(":")
    theirs = getattr(pytest.importorskip(module, reason=f"{peer} is not installed"), name)()
    both = (google_genai.Instrumentor(), theirs) if order == "before" else (theirs, google_genai.Instrumentor())
    with capture(*both) as seen:
        yield seen


async def test_interaction_beside_others_is_one_span(
    provider: FakeProvider, beside: Capture, kind: str, gemini: Any
) -> None:
    """One span for each, which has our identity and the answer."""
    await done(gemini.interactions.create(model="gemini-x", input="hi"))
    await read(await done(gemini.interactions.create(model="gemini-x", input="hi", stream=True)), kind)
    assert [found["attributes"].get("otel_agentops.model.resolution") for found in beside.spans] == ["resolved"] * 2


@pytest.mark.parametrize("streams", [False, True])
async def test_content(provider: FakeProvider, content: Capture, kind: str, gemini: Any, streams: bool) -> None:
    asked: Any = {"model": "gemini-x", "input": "hi", "system_instruction": "Be brief."}
    result = await done(gemini.interactions.create(**asked, stream=streams))
    if streams:
        await read(result, kind)
    assert read_words(content) == [("system", "Be brief."), ("user", "hi"), ("assistant", "Hello there.")]


@pytest.mark.parametrize("streams", [False, True])
async def test_content_of_a_tool_call(
    provider: FakeProvider, content: Capture, kind: str, gemini: Any, streams: bool
) -> None:
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"town": "Rome"}'),)))
    said: Any = [{"type": "text", "text": "Rome?"}, {"type": "image", "uri": "gs://x/a.png", "mime_type": "image/png"}]
    result = await done(gemini.interactions.create(model="gemini-x", input=said, stream=streams))
    if streams:
        await read(result, kind)
    assert read_words(content) == [("user", "Rome?"), ("assistant", 'weather {"town": "Rome"}')]
