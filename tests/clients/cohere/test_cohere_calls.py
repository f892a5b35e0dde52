"""What is Cohere's own: rankings, two counts of tokens, tools and models of the SDK, and how a body is found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cohere
import pytest
from both import block, done, drained, each
from cohere_spans import ASK, CALL, PROMPT, RANK, STREAMED, chat, span

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients._protocols.cohere import finish_stream, fold_event, normalise_tool, read_chat_response
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall
from otel_agentops.testing.subject import name_sources

WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Its name"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}


async def test_rerank_is_a_retrieval(provider: FakeProvider, seen: Capture, co: Any) -> None:
    """The convention has no operation of its own for it; neither query nor documents are on the span."""
    ranked = await done(co.rerank(**RANK, top_n=2))
    assert [result.index for result in ranked.results] == [1, 2]
    top = {"gen_ai.retrieval.top_k": 2}
    assert seen.spans == [span(provider, "retrieval", "rank-x", top, params={"top_n": 2})]


async def test_embeddings(provider: FakeProvider, seen: Capture, co: Any) -> None:
    asked: Any = {"input_type": "search_query", "output_dimension": 4, "embedding_types": ["float"]}
    answer = await done(co.embed(model="embed-x", texts=["a town", "a"], **asked))
    assert len(answer.embeddings.float_[0]) == 4
    told = {
        "gen_ai.embeddings.dimension.count": 4,
        "gen_ai.request.encoding_formats": ["float"],
        "gen_ai.usage.input_tokens": 3,
    }
    assert seen.spans == [span(provider, "embeddings", "embed-x", told, params=asked)]


async def test_sampling_keeps_its_types(provider: FakeProvider, seen: Capture, co: Any) -> None:
    sampling: Any = {"temperature": 0, "p": 1, "k": 3, "max_tokens": 9, "frequency_penalty": 0, "presence_penalty": 0.5}
    await done(co.chat(**CALL, **sampling, seed=7, stop_sequences=["END"]))
    told = {
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.top_k": 3,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.frequency_penalty": 0.0,
        "gen_ai.request.presence_penalty": 0.5,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
    }
    (only,) = seen.spans
    assert only == chat(
        provider, told, name_sources(["seed"], "explicit"), params={**sampling, "stop_sequences": ["END"]}
    )
    kinds = {name: type(only["attributes"][name]) for name in told}
    assert kinds == {name: type(value) for name, value in told.items()}


async def test_billed_tokens_are_counted(provider: FakeProvider, seen: Capture, co: Any) -> None:
    answer = await done(co.chat(**CALL))
    assert (answer.usage.billed_units.input_tokens, answer.usage.tokens.input_tokens) == (11, 75)
    assert seen.spans == [chat(provider)]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"tokens": {"input_tokens": 7.0, "output_tokens": 2.0}}, (7, 2)),
        ({"billed_units": {"input_tokens": 0}, "tokens": {"input_tokens": 7.0}}, (0, None)),
        ({"billed_units": {"input_tokens": -1, "output_tokens": -1}}, (None, None)),  # Bedrock's client: unknown
        ({"billed_units": {"search_units": 1}}, (None, None)),
        (None, (None, None)),
    ],
)
def test_unreported_tokens_are_unknown(usage: Any, counts: Any) -> None:
    answer = read_chat_response({"id": "x", "usage": usage})
    assert (answer.input_tokens, answer.output_tokens) == counts


@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
async def test_answer_with_a_failed_finish_reason_is_an_error(
    provider: FakeProvider, seen: Capture, co: Any, reason: str
) -> None:
    provider.answer(lambda call: Answer(finish=reason))
    await done(co.chat(**CALL))
    told = {"gen_ai.response.finish_reasons": [reason], "error.type": reason}
    assert seen.spans == [chat(provider, told, status="ERROR")]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        cohere.SystemChatMessageV2(content="Be brief."),
    ],
    ids=["text", "parts", "model"],
)
async def test_system_turn_spellings_have_one_hash(provider: FakeProvider, seen: Capture, co: Any, turn: Any) -> None:
    await done(co.chat(model="command-x", messages=[turn, *ASK]))
    assert seen.spans == [chat(provider, PROMPT)]


async def test_tool_call_is_one_span_in_its_task(provider: FakeProvider, seen: Capture, co: Any) -> None:
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    offered = cohere.ToolV2(function=WEATHER)  # type: ignore[arg-type]
    with task("town"):
        await done(co.chat(**CALL, tools=[offered], strict_tools=True))
    value = identity({"name": "weather", "description": WEATHER["description"], "input_schema": WEATHER["parameters"]})
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.tools.versions"] == [f"weather@{value}"]
    assert attributes["otel_agentops.params.hash"] == identity({"strict_tools": True})
    assert attributes["gen_ai.response.finish_reasons"] == ["TOOL_CALL"]


def test_requested_tools_of_a_stream_are_known() -> None:
    def event(kind: str, **delta: Any) -> Any:
        return SimpleNamespace(type=kind, index=0, id="x", delta=delta)

    def call(kind: str, **function: str) -> Any:
        return event(kind, message={"tool_calls": {"function": function}})

    state: dict[str, Any] = {}
    events = [
        event("message-start"),
        call("tool-call-start", name="look", arguments=""),
        call("tool-call-delta", arguments='{"a"'),
        call("tool-call-delta", arguments=": 1}"),
        event("tool-call-end"),
        event("message-end", finish_reason="TOOL_CALL"),
    ]
    assert [fold_event(state, each) for each in events] == [False] * 5 + [True]
    assert finish_stream(state).tool_calls == [("look", '{"a": 1}')]


async def test_additional_body_parameters_are_parameters(provider: FakeProvider, seen: Capture, co: Any) -> None:
    """They are merged into the body where the SDK makes it."""
    await done(co.chat(**CALL, request_options={"additional_body_parameters": {"new": {"a": 1}, "temperature": 0.5}}))
    assert provider.requests[-1].body["new"] == {"a": 1}
    told = {"gen_ai.request.temperature": 0.5}
    assert seen.spans == [chat(provider, told, params={"new": {"a": 1}, "temperature": 0.5})]


async def test_documents_are_not_a_parameter(provider: FakeProvider, seen: Capture, co: Any) -> None:
    await done(co.chat(**CALL, documents=["a lake"], citation_options={"mode": "FAST"}))
    assert seen.spans == [chat(provider, params={"citation_options": {"mode": "FAST"}})]


# -- streams


async def test_a_raw_stream(provider: FakeProvider, seen: Capture, co: Any) -> None:
    async with block(co.with_raw_response.chat_stream(**CALL)) as response:
        assert seen.spans == []
        assert [event.type for event in await drained(response.data)][-1] == "message-end"
        assert seen.spans == [chat(provider, STREAMED)]
    assert len(seen.spans) == 1


async def test_unread_raw_stream_ends_its_span(provider: FakeProvider, seen: Capture, co: Any) -> None:
    async with block(co.with_raw_response.chat_stream(**CALL)):
        pass
    (only,) = seen.spans
    unknown = dict.fromkeys(name for name in chat(provider)["attributes"] if "usage" in name or "response" in name)
    told = {**unknown, "gen_ai.request.stream": True, "otel_agentops.model.resolution": None}
    assert only == chat(provider, told)


async def test_application_error_in_a_raw_stream_ends_its_span(provider: FakeProvider, seen: Capture, co: Any) -> None:
    with pytest.raises(KeyError):
        async with block(co.with_raw_response.chat_stream(**CALL)) as response:
            async for _ in each(response.data):
                raise KeyError("mine")
    (only,) = seen.spans
    assert only["status"] == "UNSET", "the application's own error is none of the call"
    assert only["attributes"]["gen_ai.response.id"] == "fake"


async def test_an_error_at_the_end_of_a_stream(provider: FakeProvider, seen: Capture, co: Any) -> None:
    """The SDK raises nothing for it."""
    provider.answer(lambda call: Answer(finish="ERROR"))
    await drained(co.chat_stream(**CALL))
    told = {"gen_ai.response.finish_reasons": ["ERROR"], "error.type": "ERROR"}
    assert seen.spans == [chat(provider, STREAMED, told, status="ERROR")]


async def test_stream_never_read_makes_no_call(provider: FakeProvider, seen: Capture, co: Any) -> None:
    stream = co.chat_stream(**CALL)
    assert (provider.requests, seen.spans) == ([], [])
    await drained(stream)
    assert seen.spans == [chat(provider, STREAMED)]


# -- attempts


async def test_refused_stream_records_retry_after(provider: FakeProvider, seen: Capture, co: Any) -> None:
    provider.script(Status(429, retry_after=7))
    with pytest.raises(cohere.TooManyRequestsError):
        await drained(co.chat_stream(**CALL))
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [429]
    assert only["attributes"]["otel_agentops.attempt.retry_after"] == [7.0]


async def test_call_of_another_client_is_not_an_attempt(provider: FakeProvider, seen: Capture, make: Any) -> None:
    """Say, to find the token."""
    other = cohere.ClientV2(api_key="k", base_url=provider.url)

    def token() -> str:
        other.chat(model="command-y", messages=ASK)
        return "k"

    await done(make(api_key=token).chat(**CALL))
    inner = {
        **chat(provider, {"gen_ai.request.model": "command-y"}),
        "name": "chat command-y",
        "parent": "chat command-x",
    }
    assert seen.spans == [inner, chat(provider)]


# -- tools of v1


@pytest.mark.parametrize(
    ("given", "schema"),
    [
        (
            {"city": {"type": "str", "description": "Its name", "required": True}, "days": {"type": "int"}},
            WEATHER["parameters"],
        ),
        ({}, {"type": "object", "properties": {}}),
        ({"a": {"type": "List[str]"}}, {"a": {"type": "List[str]"}}),  # a type of which nobody says what it is
        (None, {"type": "object", "properties": {}}),
    ],
)
def test_tool_of_v1_is_normalised(given: Any, schema: Any) -> None:
    found = normalise_tool({"name": "weather", "description": "The weather in a city.", "parameter_definitions": given})
    assert found == {"name": "weather", "description": "The weather in a city.", "input_schema": schema}


def test_tool_of_v2_is_normalised_as_openais() -> None:
    found = normalise_tool({"type": "function", "function": WEATHER})
    assert found == {"name": "weather", "description": WEATHER["description"], "input_schema": WEATHER["parameters"]}
