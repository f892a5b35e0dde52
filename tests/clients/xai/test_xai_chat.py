"""Chats over gRPC: what a message says, what is asked for later, and what nobody is told."""

from __future__ import annotations

import datetime
import json
from typing import Any

import grpc
import pytest
import xai_sdk
from both import done, drained
from grok_spans import ANSWERED, CALL, HEAD, SENT, STREAMED, failed, server, span, whole
from pydantic import BaseModel
from xai_sdk.chat import image, required_tool, system, tool, user
from xai_sdk.proto import chat_pb2
from xai_subject import XaiSubject

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients._families import grpc as grpc_seams
from otel_agentops.clients.xai import _SERVERS, Instrumentor
from otel_agentops.clients.xai import normalise_tool as material
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.fake_provider import Answer, Break, Fail, Hang, Status, ToolCall
from otel_agentops.testing.fake_provider.xai import XaiProvider

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FAST = {"interval": datetime.timedelta(milliseconds=1)}


class Found(BaseModel):
    found: bool


async def one(seen: Capture, call: Any) -> dict[str, Any]:
    """The attributes of the one span of a call."""
    await done(call)
    (only,) = seen.spans
    attributes: dict[str, Any] = only["attributes"]
    return attributes


# -- what is sent


async def test_settings_that_are_zero_are_explicit(seen: Capture, grok: Any) -> None:
    """A field with presence is a parameter also where it is zero; the SDK's own `n` is none."""
    settings: Any = {
        "temperature": 0.0,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "frequency_penalty": 0.3,
        "reasoning_effort": "high",
        "parallel_tool_calls": False,
        "user": "u1",
    }
    found = await one(seen, grok.chat.create(model="grok-x", messages=[user("hi")], **settings).sample())
    params = {
        "temperature": 0.0,
        "top_p": 0.9,
        "stop": ["END"],
        "frequency_penalty": 0.3,
        "reasoning_effort": "EFFORT_HIGH",
        "parallel_tool_calls": False,
    }
    assert found["otel_agentops.params.hash"] == identity(params)
    assert {name for name in found if found[name] == "explicit"} == {
        f"otel_agentops.param.{name}.source" for name in (*params, "seed")
    }
    asked = {
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.frequency_penalty": 0.3,
        "gen_ai.request.reasoning.level": "high",
    }
    assert asked.items() <= found.items()


async def test_several_choices(seen: Capture, grok: Any) -> None:
    with pytest.warns(PendingDeprecationWarning):
        found = await one(seen, grok.chat.create(**CALL).sample_batch(2))
    assert found["gen_ai.request.choice.count"] == 2
    assert found["gen_ai.response.finish_reasons"] == ["REASON_STOP", "REASON_STOP"]
    assert found["otel_agentops.params.hash"] == identity({"max_tokens": 9, "n": 2})


async def test_system_and_developer_turns_are_the_prompt(seen: Capture, grok: Any) -> None:
    developer = chat_pb2.Message(role=6, content=[{"text": "No emoji."}])  # ROLE_DEVELOPER, which has a word since 1.6
    turns = [system("Be brief."), user("hi"), developer]
    found = await one(seen, grok.chat.create(model="grok-x", messages=turns).sample())
    assert found["otel_agentops.prompt.hash"] == identity(["Be brief.", "No emoji."])


async def test_picture_in_the_instructions_is_hashed(seen: Capture, grok: Any) -> None:
    turns = [system("Like this:", image("https://example.com/a.png")), user("hi")]
    found = await one(seen, grok.chat.create(model="grok-x", messages=turns).sample())
    picture = {"image_url": {"image_url": "https://example.com/a.png", "detail": "DETAIL_AUTO"}}
    assert found["otel_agentops.prompt.hash"] == identity(["Like this:", picture])


async def test_parse(seen: Capture, grok: Any) -> None:
    found = await one(seen, grok.chat.create(**CALL).parse(Found))
    form = {"format_type": "FORMAT_TYPE_JSON_SCHEMA", "schema": json.dumps(Found.model_json_schema())}
    assert found["gen_ai.output.type"] == "json"
    assert found["otel_agentops.params.hash"] == identity({"max_tokens": 9, "response_format": form})


async def test_a_conversation(seen: Capture, grok: Any) -> None:
    found = await one(seen, grok.chat.create(**CALL, conversation_id="c1").sample())
    assert found["gen_ai.conversation.id"] == "c1"


# -- tools


def test_tool_hash_ignores_the_spelling_of_its_schema() -> None:
    """Blanks and order in the text make no other tool."""
    function = {"name": "weather", "description": "Of a city."}
    texts = [json.dumps(SCHEMA), json.dumps(SCHEMA, indent=2, sort_keys=True)]
    found = [
        material(chat_pb2.Tool(function=chat_pb2.Function(**function, parameters=text)).SerializeToString())
        for text in texts
    ]
    assert found == [{**function, "input_schema": SCHEMA}] * 2


def test_server_tools_are_hashed_without_credentials() -> None:
    """A server's credentials are no part of what it is."""
    server_tool = chat_pb2.MCP(
        server_label="shop",
        server_url="https://mcp.example.com",
        authorization="Bearer s3cret",
        extra_headers={"a": "b"},
    )
    odd = chat_pb2.Function(name="odd", parameters="{nope")
    assert [
        material(kind.SerializeToString())
        for kind in (chat_pb2.Tool(mcp=server_tool), chat_pb2.Tool(function=odd), chat_pb2.Tool())
    ] == [
        {"name": "shop", "settings": {"server_label": "shop", "server_url": "https://mcp.example.com"}},
        {"name": "odd", "input_schema": "{nope"},
        {"name": "None", "settings": {}},
    ]


async def test_requested_tool_calls_are_counted(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    """The same call twice is a repeat; one that the model was forced to make is the form of its answer."""
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    offered = [tool("weather", "Of a city.", SCHEMA)]
    with task("forecast"):
        await done(grok.chat.create(**CALL, tools=offered).sample())
        await drained(grok.chat.create(**CALL, tools=offered).stream())
        await done(grok.chat.create(**CALL, tools=offered, tool_choice=required_tool("weather")).sample())
    assert seen.spans[-1]["attributes"]["otel_agentops.task.tool_repeats"] == 2


# -- attempts


async def test_attempts_are_unknown(provider: XaiProvider, seen: Capture, kind: str) -> None:
    """GRPC's core tries again and nobody is told: there is no count, and not a wrong one."""
    provider.script(Status(503), Status(503))
    client = XaiSubject().client(kind, provider, retries=4)
    with task("refund", id="t1"):
        await done(client.chat.create(**CALL).sample())
    assert len(provider.requests) == 3
    call, root = seen.spans
    assert [name for found in (call, root) for name in found["attributes"] if "attempt" in name] == []
    assert root["attributes"]["otel_agentops.task.llm_calls"] == 1


# -- deferred


async def test_deferred_answer_is_one_span(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    """One span from the start to the poll that has the answer."""
    answer = await done(grok.chat.create(**CALL).defer(**FAST))
    assert answer.content == "Hello there."
    assert seen.spans == [whole(provider)]


async def test_expired_deferred_answer_is_an_error(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    provider.script(Fail())
    with pytest.raises(RuntimeError, match="expired"):
        await done(grok.chat.create(**CALL).defer(**FAST))
    expected = failed(provider, "EXPIRED", otel_agentops__model__resolution="unreported")
    assert seen.spans == [expected]


async def test_deferred_answer_that_times_out_is_an_error(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    """The SDK's own patience ends."""
    with pytest.raises(TimeoutError) as caught:
        await done(
            grok.chat.create(**CALL).defer(timeout=datetime.timedelta(microseconds=1), interval=FAST["interval"])
        )
    assert seen.spans == [failed(provider, type(caught.value).__name__)]


async def test_refused_deferred_call_is_an_error(provider: XaiProvider, seen: Capture, grok: Any) -> None:
    provider.script(Status(401))
    with pytest.raises(grpc.RpcError):
        await done(grok.chat.create(**CALL).defer(**FAST))
    assert seen.spans == [failed(provider, "UNAUTHENTICATED")]


# -- streams


async def test_stream_past_its_deadline_is_an_error(provider: XaiProvider, seen: Capture, kind: str) -> None:
    """The deadline is that of the whole stream."""
    provider.script(Hang(5, after=1))
    client = XaiSubject().client(kind, provider, timeout=0.3)
    with pytest.raises(grpc.RpcError):
        await drained(client.chat.create(**CALL).stream())
    late = {**SENT, **HEAD, **STREAMED, **server(provider), "error.type": "DEADLINE_EXCEEDED"}
    assert seen.spans == [span(late, status="ERROR")]


async def test_broken_stream_is_not_retried(provider: XaiProvider, seen: Capture, kind: str) -> None:
    provider.script(Break(after=1))
    client = XaiSubject().client(kind, provider, retries=4)
    with pytest.raises(grpc.RpcError):
        await drained(client.chat.create(**CALL).stream())
    assert len(provider.requests) == 1
    assert seen.spans[0]["attributes"]["error.type"] == "UNAVAILABLE"


async def test_streamed_choices(seen: Capture, grok: Any) -> None:
    with pytest.warns(PendingDeprecationWarning):
        await drained(grok.chat.create(**CALL).stream_batch(2))
    (only,) = seen.spans
    assert only["attributes"]["gen_ai.response.finish_reasons"] == ["REASON_STOP", "REASON_STOP"]
    assert only["attributes"]["gen_ai.response.time_to_first_chunk"] == SECONDS


# -- never in the way


async def test_client_made_before_instrument_is_observed(provider: XaiProvider, kind: str) -> None:
    """Its new chats are observed; where it sends them is not known."""
    client = XaiSubject().client(kind, provider)
    with capture(Instrumentor()) as seen:
        await done(client.chat.create(**CALL).sample())
        assert seen.spans == [span({**SENT, **ANSWERED})]


async def test_chat_that_outlives_the_instrumentation_still_works(provider: XaiProvider, kind: str) -> None:
    instrumentor = Instrumentor()
    with capture(instrumentor) as seen:
        chat = XaiSubject().client(kind, provider).chat.create(**CALL)
        instrumentor.uninstrument()
        for call in (chat.sample, lambda: chat.defer(**FAST)):
            assert (await done(call())).content == "Hello there."
        assert len(await drained(chat.stream())) == 4
        assert seen.spans == []


async def test_wrapped_stub_keeps_its_type_and_methods(seen: Capture, grok: Any) -> None:
    """All but a call of a method is the original's, and a chat of a chat's stub is observed once."""
    chat = grok.chat.create(**CALL)
    assert type(chat._stub) is type(grok.chat._stub)
    assert chat._stub.GetCompletion._method == grok.chat._stub.GetCompletion._method
    grok.chat._stub = chat._stub
    again = grok.chat.create(**CALL)
    await done(again.sample())
    assert len(seen.spans) == 1


async def test_stub_without_methods_is_accepted(seen: Capture, grok: Any) -> None:
    """The client's own tests make such, for chats that nobody asks."""
    grok.chat._stub = type(grok.chat._stub).__new__(type(grok.chat._stub))
    chat = grok.chat.create(**CALL)
    assert len(chat.messages) == len(CALL["messages"])
    assert vars(chat._stub) == {}


@pytest.mark.parametrize(
    ("host", "found"),
    [("api.x.ai", ("api.x.ai", 443)), ("localhost:8080", ("localhost", 8080)), ("[::1]:50051", ("::1", 50051))],
)
def test_target_address_is_parsed(host: str, found: tuple[str, int]) -> None:
    assert tuple(grpc_seams.parse_target(host).values()) == found


def test_default_address_is_known(seen: Capture) -> None:
    assert _SERVERS[xai_sdk.Client(api_key="k").chat._stub] == {"server.address": "api.x.ai", "server.port": 443}


async def test_content_of_a_deferred_chat(provider: XaiProvider, content: Capture, grok: Any) -> None:
    await done(grok.chat.create(**CALL).defer(**FAST))
    (span,) = content.spans
    assert "Hello there." in span["attributes"]["gen_ai.output.messages"]
