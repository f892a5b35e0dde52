"""What is Mistral's own: agents, conversations, fill-in-the-middle, the clouds, and answers that do not fit."""

from __future__ import annotations

from typing import Any

import mistralai.client
import pytest
from both import block, done, drained, each
from content_schemas import read_words
from mistralai.client import errors
from mistralai.client.utils import BackoffStrategy, RetryConfig
from mistralai_spans import ANSWERED, ASK, CALL, SENT, span, streamed, whole
from pydantic import BaseModel
from speakeasy import Bound

from otel_agentops._hashing import identity
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Hang, Malformed, Status, ToolCall
from otel_agentops.testing.fake_provider import mistral_wire as wire
from otel_agentops.testing.fake_provider.wire import Route

BEFORE_3 = mistralai.client.VERSION.startswith("2.")
WEATHER = {"name": "weather", "description": "of a town", "parameters": {"type": "object"}}
MATERIAL = {"name": "weather", "description": "of a town", "input_schema": {"type": "object"}}
CALLS = Answer(text="", tool_calls=(ToolCall("weather", '{"town": "Rome"}'),))
ADVICE = {"otel_agentops__prompt__source": "instructions", "otel_agentops__prompt__hash": identity(["Be brief."])}


def leave_out(*names: str) -> dict[str, Any]:
    """Take the sources of parameters out that an API does not have."""
    return {f"otel_agentops__param__{name}__source": None for name in names}


# A conversation says neither how it ended nor the id of an answer.
CONVERSED: dict[str, Any] = {
    "gen_ai__conversation__id": "conv_fake",
    "gen_ai__response__finish_reasons": None,
    "gen_ai__response__id": None,
    **leave_out("top_k"),
}
UNASKED = {"gen_ai__request__model": None, "otel_agentops__model__resolution": None}  # an agent has a model of its own
UNCOUNTED = {"gen_ai__usage__cache_read__input_tokens": None}  # its usage has no details in the client's type


# -- agents


async def test_agent_call_names_the_agent(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    await done(mistral.call("agents.complete", agent_id="ag:1", messages=ASK))
    asked = {"gen_ai__agent__id": "ag:1", **UNASKED, **leave_out("temperature", "top_p")}
    assert seen.spans == [whole(provider, name="chat", **asked)]


async def test_a_streamed_agent(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    await drained(await done(mistral.call("agents.stream", agent_id="ag:1", messages=ASK)))
    asked = {"gen_ai__agent__id": "ag:1", **UNASKED, **leave_out("temperature", "top_p")}
    assert seen.spans == [streamed(provider, name="chat", **asked)]


# -- conversations


async def test_a_conversation(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    """The settings of the model are parameters as those of a chat are, and the instructions its system prompt."""
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 9, "random_seed": 7}
    asked: dict[str, Any] = {"model": "m-x", "inputs": "hi", "instructions": "Be brief.", "completion_args": settings}
    await done(mistral.call("beta.conversations.start", **asked))
    known = {
        "gen_ai__request__temperature": 0.0,
        "gen_ai__request__max_tokens": 9,
        "gen_ai__request__seed": 7,
        "otel_agentops__param__temperature__source": "explicit",
        "otel_agentops__param__max_tokens__source": "explicit",
        "otel_agentops__param__random_seed__source": "explicit",
        "otel_agentops__params__hash": identity({"temperature": 0.0, "max_tokens": 9}),
    }
    assert seen.spans == [whole(provider, **CONVERSED, **ADVICE, **known, **UNCOUNTED)]


async def test_appended_conversation_names_its_id(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    await done(mistral.call("beta.conversations.append", conversation_id="conv_fake", inputs="and then?"))
    known = {
        **UNASKED,
        "otel_agentops__param__handoff_execution__source": "unknown",  # the client sends it by itself
        "otel_agentops__params__hash": identity({"handoff_execution": "server"}),
    }
    assert seen.spans == [whole(provider, name="chat", **CONVERSED, **known, **UNCOUNTED)]


async def test_a_streamed_conversation_with_an_agent(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    asked: dict[str, Any] = {"agent_id": "ag:1", "agent_version": 3, "inputs": "hi"}
    await drained(await done(mistral.call("beta.conversations.start_stream", **asked)))
    known = {"gen_ai__agent__id": "ag:1", "gen_ai__agent__version": "3", **UNASKED}
    assert seen.spans == [streamed(provider, name="chat", **CONVERSED, **known, **UNCOUNTED)]


@pytest.mark.parametrize("stream", ["", "_stream"])
async def test_tools_of_a_conversation(provider: FakeProvider, seen: Capture, mistral: Any, stream: str) -> None:
    """They have the identity that they have in a chat."""
    provider.answer(lambda call: CALLS)
    tools = [{"type": "function", "function": WEATHER}, {"type": "web_search"}]
    asked: dict[str, Any] = {"model": "m-x", "inputs": "hi", "tools": tools}
    result = await done(mistral.call(f"beta.conversations.start{stream}", **asked))
    if stream:
        await drained(result)
    weather, search = identity(MATERIAL), identity({"name": "web_search", "settings": {"type": "web_search"}})
    offered = {
        "otel_agentops__tools__hash": identity(sorted([weather, search])),
        "otel_agentops__tools__versions": [f"weather@{weather}", f"web_search@{search}"],
    }
    expected = streamed if stream else whole
    assert seen.spans == [expected(provider, **CONVERSED, **offered, **UNCOUNTED)]


async def test_failed_conversation_stream_is_an_error(
    provider: FakeProvider, seen: Capture, mistral: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*asked: Any) -> Any:
        yield {"type": "conversation.response.started", "conversation_id": "conv_fake"}
        yield {"type": "conversation.response.error", "message": "gone", "code": 3000}

    monkeypatch.setitem(wire.DIALECT.routes, wire.CONVERSATIONS, Route(wire.write_conversation, failing))
    await drained(await done(mistral.call("beta.conversations.start_stream", model="m-x", inputs="hi")))
    (only,) = seen.spans
    assert (only["status"], only["attributes"]["error.type"]) == ("ERROR", "3000")


# -- responses


@pytest.mark.parametrize("stream", [False, True])
async def test_responses(provider: FakeProvider, seen: Capture, mistral: Any, stream: bool) -> None:
    if not hasattr(mistral.sdk, "responses"):
        pytest.skip(f"mistralai {mistralai.client.VERSION} has no responses")
    provider.answer(lambda call: Answer(cache_write_tokens=1))  # without it the client's type takes no usage at all
    asked: dict[str, Any] = {"model": "m-x", "input": "hi", "instructions": "Be brief.", "max_output_tokens": 9}
    result = await done(mistral.call("responses.create", stream=stream, **asked))
    if stream:
        await drained(result)
    by_itself = {"parallel_tool_calls": True, "truncation": "disabled", "background": False, "top_logprobs": 0}
    assert by_itself.items() <= provider.requests[-1].body.items()
    known: dict[str, Any] = {
        **leave_out("top_k", "frequency_penalty", "presence_penalty", "random_seed", "stop"),
        "gen_ai__request__max_tokens": 9,
        "gen_ai__response__id": "resp_fake",
        "gen_ai__usage__cache_creation__input_tokens": 1,
        "gen_ai__usage__reasoning__output_tokens": 2,
        "otel_agentops__param__max_output_tokens__source": "explicit",
        "otel_agentops__params__hash": identity({"max_output_tokens": 9, **by_itself}),
        "otel_agentops__param__temperature__source": "echoed",
        "otel_agentops__param__top_p__source": "echoed",
        **{f"otel_agentops__param__{name}__source": "unknown" for name in by_itself},
    }
    expected = streamed if stream else whole
    assert seen.spans == [expected(provider, **ADVICE, **known)]


# -- fill in the middle


@pytest.mark.parametrize("method", ["fim.complete", "fim.stream"])
async def test_fill_in_the_middle(provider: FakeProvider, seen: Capture, mistral: Any, method: str) -> None:
    result = await done(mistral.call(method, model="m-x", prompt="def f(", suffix="return a", temperature=0.2))
    if method == "fim.stream":
        await drained(result)
    body = provider.requests[-1].body
    shaped = {name: body[name] for name in ("temperature", "top_p") if name in body}
    known: dict[str, Any] = {
        **leave_out("top_k", "frequency_penalty", "presence_penalty"),
        "gen_ai__operation__name": "text_completion",
        "gen_ai__request__temperature": 0.2,
        "otel_agentops__param__temperature__source": "explicit",
        "otel_agentops__params__hash": identity(shaped),
    }
    if BEFORE_3:  # it sends a value that nobody gave
        known |= {"gen_ai__request__top_p": 1.0, "otel_agentops__param__top_p__source": "unknown"}
    expected = streamed if method == "fim.stream" else whole
    assert seen.spans == [expected(provider, name="text_completion m-x", **known)]


async def test_embeddings_of_a_size(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    await done(mistral.call("embeddings.create", model="m-x", inputs=["a"], output_dimension=64))
    (only,) = seen.spans
    assert only["attributes"]["gen_ai.embeddings.dimension.count"] == 64
    assert only["attributes"]["otel_agentops.params.hash"] == identity({"output_dimension": 64})


# -- the clouds


async def test_azure(kind: str, provider: FakeProvider, seen: Capture, make: Any) -> None:
    from mistralai.azure.client import MistralAzure

    azure = Bound(kind, MistralAzure(api_key="k", server_url=f"{provider.url}/mistral"))
    await done(azure.call("chat.complete", **CALL))
    await drained(await done(azure.call("chat.stream", **CALL)))
    assert seen.spans == [
        whole(provider, gen_ai__provider__name="azure.ai.inference"),
        streamed(provider, gen_ai__provider__name="azure.ai.inference"),
    ]


async def test_vertex(kind: str, provider: FakeProvider, seen: Capture, make: Any) -> None:
    """A hook of the client's moves the model into the path; the body keeps it."""
    pytest.importorskip("google.auth", reason="the client for Vertex needs google-auth")
    from mistralai.gcp.client import MistralGCP

    gcp = MistralGCP(project_id="p", region="r", access_token="t", server_url=provider.url)
    vertex = Bound(kind, gcp)
    await done(vertex.call("chat.complete", **CALL))
    await drained(await done(vertex.call("chat.stream", **CALL)))
    await done(vertex.call("fim.complete", model="m-x", prompt="def f("))
    assert "/publishers/mistralai/models/m-x:rawPredict" in provider.requests[0].path
    clouds = {"gen_ai__provider__name": "gcp.vertex_ai"}
    *chats, fim = seen.spans
    assert chats == [whole(provider, **clouds), streamed(provider, **clouds)]
    assert (fim["name"], fim["attributes"]["gen_ai.provider.name"]) == ("text_completion m-x", "gcp.vertex_ai")


# -- streams


async def test_leaving_the_block_ends_the_span(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    async with block(await done(mistral.call("chat.stream", **CALL))) as stream:
        async for _ in each(stream):
            break
    unknown = {"gen_ai__response__finish_reasons": None}
    unknown |= {name.replace(".", "__"): None for name in ANSWERED if "usage" in name}
    assert seen.spans == [streamed(provider, **unknown)]


async def test_closing_twice_ends_once(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    stream = await done(mistral.call("chat.stream", **CALL))
    await drained(stream)
    for _ in range(2):
        async with block(stream):
            pass
    assert seen.spans == [streamed(provider)]


async def test_leaving_before_the_first_event_ends_the_span(
    provider: FakeProvider, seen: Capture, mistral: Any
) -> None:
    async with block(await done(mistral.call("chat.stream", **CALL))):
        pass
    kept = {"otel_agentops.attempt.count": 1, "otel_agentops.attempt.statuses": [200], "gen_ai.request.stream": True}
    assert seen.spans == [span(provider, {**SENT, **kept})]


# -- answers


class Town(BaseModel):
    name: str


async def test_parse(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    answer = await done(mistral.call("chat.parse", response_format=Town, **CALL))
    assert answer.choices[0].message.parsed == Town(name="text")
    form = provider.requests[-1].body["response_format"]
    bound = {
        "gen_ai__output__type": "json",
        "otel_agentops__param__response_format__source": "explicit",
        "otel_agentops__params__hash": identity({"response_format": form}),
    }
    assert seen.spans == [whole(provider, **bound)]


async def test_unreported_count_is_not_zero(
    provider: FakeProvider, seen: Capture, mistral: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own type says 0."""
    monkeypatch.setattr(wire, "_write_usage", lambda answer: {})
    answer = await done(mistral.call("chat.complete", **CALL))
    assert answer.usage.prompt_tokens == 0
    assert seen.spans == [whole(provider, **{n.replace(".", "__"): None for n in ANSWERED if "usage" in n})]


async def test_unreadable_answer_keeps_its_token_counts(
    provider: FakeProvider, seen: Capture, mistral: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = Route(lambda *request: {**wire.write_chat(*request), "created": "long ago"})
    monkeypatch.setitem(wire.DIALECT.routes, wire.CHAT, route)
    with pytest.raises(errors.ResponseValidationError):
        await done(mistral.call("chat.complete", **CALL))
    kind = "mistralai.client.errors.responsevalidationerror.ResponseValidationError"
    assert seen.spans == [{**whole(provider, error__type=kind), "status": "ERROR"}]


async def test_malformed_answer_is_an_error(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    provider.script(Malformed())
    with pytest.raises(errors.ResponseValidationError):
        await done(mistral.call("chat.complete", **CALL))
    (only,) = seen.spans
    assert only["status"] == "ERROR"
    assert only["attributes"]["otel_agentops.model.resolution"] == "unreported"


# -- attempts


async def test_attempts_with_and_without_a_response(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    retries = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), True)
    provider.script(Hang(5), Status(503, retry_after=0.02), Status(429))
    await done(mistral.call("chat.complete", retries=retries, timeout_ms=200, **CALL))
    tried = {"count": 4, "statuses": [0, 503, 429, 200], "retry_after": [0.02]}
    assert seen.spans == [
        whole(provider, **{f"otel_agentops__attempt__{name}": value for name, value in tried.items()})
    ]


async def test_exhausted_attempts_are_recorded(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    retries = RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, -1), True)  # the time is over before it began
    provider.script(Status(503))
    with pytest.raises(errors.SDKError):
        await done(mistral.call("chat.complete", retries=retries, **CALL))
    (only,) = seen.spans
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [503]
    assert only["attributes"]["error.type"] == "mistralai.client.errors.sdkerror.SDKError"


async def test_call_refused_by_the_client_makes_no_span(seen: Capture, mistral: Any) -> None:
    with pytest.raises(ValueError, match="nobody"):
        await done(mistral.call("chat.complete", model="m-x", messages=[{"role": "nobody"}]))
    assert seen.spans == []


async def test_other_calls_are_left_alone(provider: FakeProvider, seen: Capture, mistral: Any) -> None:
    with pytest.raises(errors.SDKError):
        await done(mistral.call("models.list"))  # not spoken by the provider
    assert seen.spans == []


@pytest.mark.parametrize("stream", ["", "_stream"])
async def test_content_of_a_conversation(provider: FakeProvider, content: Capture, mistral: Any, stream: str) -> None:
    asked: Any = {"model": "m-x", "inputs": "hi", "instructions": "Be brief."}
    result = await done(mistral.call(f"beta.conversations.start{stream}", **asked))
    if stream:
        await drained(result)
    assert read_words(content) == [("system", "Be brief."), ("user", "hi"), ("assistant", "Hello there.")]


@pytest.mark.parametrize("stream", ["", "_stream"])
async def test_content_of_a_call_in_a_conversation(
    provider: FakeProvider, content: Capture, mistral: Any, stream: str
) -> None:
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"town": "Rome"}'),)))
    before = [{"type": "function.result", "tool_call_id": "call_0", "result": "rainy"}]
    asked: Any = {"model": "m-x", "inputs": before}
    result = await done(mistral.call(f"beta.conversations.start{stream}", **asked))
    if stream:
        await drained(result)
    assert read_words(content) == [("tool", ""), ("assistant", 'weather {"town": "Rome"}')]
