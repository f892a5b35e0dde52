"""What is Ollama's own: completions, options, tools made of functions, JSON lines, and what a local server says."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
from both import done, drained, each
from content_schemas import read_words
from opentelemetry import baggage, context
from sent_content import check_content

from otel_agentops._hashing import identity
from otel_agentops.clients.ollama import Instrumentor, finish_stream, fold_chunk, read_response
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Answer, Fail, FakeProvider, Malformed, Status, ToolCall
from otel_agentops.testing.subject import Subject, name_sources

ASK: Any = [{"role": "user", "content": "hi"}]
CALL: Any = {"model": "llama-x", "messages": ASK}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
PROMPT = {"otel_agentops.prompt.source": "instructions", "otel_agentops.prompt.hash": identity(["Be brief."])}


def span(
    provider: FakeProvider,
    operation: str,
    *changes: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    status: str = "UNSET",
) -> dict[str, Any]:
    """A span of a call that was answered. changes: attributes beside or in the place of the usual; None for absent."""
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "llama-x",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.model": "llama-x",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "echoed",
        "otel_agentops.prompt.source": "none",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
    }
    if operation in ("chat", "text_completion"):
        attributes |= name_sources((*Subject.sampling, "top_k"))
    if params:
        attributes["otel_agentops.params.hash"] = identity(dict(params))
        attributes |= {f"otel_agentops.param.{name}.source": "explicit" for name in params}
    for change in changes:
        attributes.update(change)
    kept = {name: attributes[name] for name in sorted(attributes) if attributes[name] is not None}
    return {"name": f"{operation} llama-x", "kind": "CLIENT", "status": status, "parent": None, "attributes": kept}


async def test_generate(provider: FakeProvider, seen: Capture, client: Any) -> None:
    answer = await done(client.generate(model="llama-x", prompt="hi", system="Be brief.", suffix="!"))
    assert answer.response == "Hello there."
    assert seen.spans == [span(provider, "text_completion", PROMPT)]


async def test_a_generated_stream(provider: FakeProvider, seen: Capture, client: Any) -> None:
    stream = await done(client.generate(model="llama-x", prompt="hi", stream=True))
    assert (provider.requests, seen.spans) == ([], []), "nothing is sent before the first chunk is asked for"
    assert "".join([chunk.response for chunk in await drained(stream)]) == "Hello there."
    assert seen.spans == [span(provider, "text_completion", STREAMED)]


async def test_stream_never_read_makes_no_call(provider: FakeProvider, seen: Capture, client: Any) -> None:
    stream = await done(client.chat(**CALL, stream=True))
    del stream
    gc.collect()
    assert (provider.requests, seen.spans) == ([], [])


async def test_stream_stays_a_generator(seen: Capture, client: Any) -> None:
    """Applications and other instrumentations tell a stream from an answer by its type."""
    stream = await done(client.chat(**CALL, stream=True))
    assert inspect.isgenerator(stream) or inspect.isasyncgen(stream)
    assert len(await drained(stream)) > 1


async def test_content_of_each_attempt(provider: FakeProvider, instrumentor: Instrumentor, client: Any) -> None:
    with check_content(provider, instrumentor):
        await done(client.chat(**CALL, options={"temperature": 0.5}))
        await drained(await done(client.chat(**CALL, stream=True)))
        provider.script(Status(500))
        with pytest.raises(ollama.ResponseError):
            await done(client.embed(model="llama-x", input="a town"))
    assert len(provider.requests) == 3


async def test_embeddings_of_texts(provider: FakeProvider, seen: Capture, client: Any) -> None:
    answer = await done(client.embed(model="llama-x", input=["a town", "a"], truncate=True))
    assert len(answer.embeddings) == 2
    told = {"gen_ai.response.finish_reasons": None, "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": None}
    assert seen.spans == [span(provider, "embeddings", told, params={"truncate": True})]


async def test_old_embeddings_method_reports_no_model(provider: FakeProvider, seen: Capture, client: Any) -> None:
    """Their answer is the numbers alone."""
    await done(client.embeddings(model="llama-x", prompt="a town"))
    unknown = ("finish_reasons", "model")
    told: dict[str, Any] = {f"gen_ai.response.{name}": None for name in unknown}
    told |= {f"gen_ai.usage.{name}_tokens": None for name in ("input", "output")}
    assert seen.spans == [span(provider, "embeddings", told, {"otel_agentops.model.resolution": "unreported"})]


async def test_options_are_parameters(provider: FakeProvider, seen: Capture, client: Any) -> None:
    options = {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 3,
        "num_predict": 9,
        "num_ctx": 2048,
        "seed": 7,
        "stop": ["END"],
    }
    await done(client.chat(**CALL, options=options, keep_alive="5m"))
    told = {
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.top_k": 3,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
    }
    shaping = {name: value for name, value in options.items() if name != "seed"}
    (only,) = seen.spans
    assert only == span(provider, "chat", told, name_sources(["seed"], "explicit"), params=shaping)
    assert type(only["attributes"]["gen_ai.request.temperature"]) is float


@pytest.mark.parametrize("format", ["json", {"type": "object"}])
async def test_json_output(provider: FakeProvider, seen: Capture, client: Any, format: Any) -> None:
    await done(client.chat(**CALL, format=format))
    assert seen.spans == [span(provider, "chat", {"gen_ai.output.type": "json"}, params={"format": format})]


async def test_function_is_hashed_as_its_tool_schema(provider: FakeProvider, seen: Capture, client: Any) -> None:
    """The SDK makes a schema of it; that is what the model sees, and what has an identity."""

    def weather(city: str, days: int = 1) -> str:
        """The weather in a city.

        Args:
            city: Its name
            days: How many
        """
        return ""

    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    answer = await done(client.chat(**CALL, tools=[weather]))
    assert answer.message.tool_calls[0].function.name == "weather"
    sent = provider.requests[-1].body["tools"][0]["function"]
    value = identity({"name": "weather", "description": sent["description"], "input_schema": sent["parameters"]})
    tools = {"otel_agentops.tools.hash": identity([value]), "otel_agentops.tools.versions": [f"weather@{value}"]}
    assert seen.spans == [span(provider, "chat", tools)]


def test_requested_tools_of_an_answer_are_known() -> None:
    """They come in any chunk of a stream, and their arguments are read already."""
    call = ollama.Message.ToolCall.Function(name="look", arguments={"a": 1})
    asking = ollama.Message(role="assistant", content="", tool_calls=[ollama.Message.ToolCall(function=call)])
    whole = ollama.ChatResponse(model="m", message=asking, done=True, done_reason="stop")
    assert read_response(whole).tool_calls == [("look", {"a": 1})]
    chunks = [
        ollama.ChatResponse(model="m", message=asking, done=False),
        ollama.ChatResponse(model="m", message=ollama.Message(role="assistant", content=""), done=True),
    ]
    state: dict[str, Any] = {}
    assert [fold_chunk(state, chunk) for chunk in chunks] == [False, True]
    assert finish_stream(state).tool_calls == [("look", {"a": 1})]


def test_module_functions_are_observed(provider: FakeProvider, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are methods of one client, made when the module was imported."""
    there: Any = ollama.chat.__self__  # type: ignore[attr-defined]
    monkeypatch.setattr(there, "_client", ollama.Client(host=provider.url)._client)
    ollama.chat(**CALL)
    assert "".join(chunk.response for chunk in ollama.generate("llama-x", "hi", stream=True)) == "Hello there."
    assert seen.spans == [span(provider, "chat"), span(provider, "text_completion", STREAMED)]


async def test_calls_without_a_model_make_no_span(provider: FakeProvider, seen: Capture, client: Any) -> None:
    with pytest.raises(ollama.ResponseError):
        await done(client.show("llama-x"))
    with pytest.raises(ollama.ResponseError):
        await drained(await done(client.pull("llama-x", stream=True)))
    assert seen.spans == []


async def test_an_error_in_a_stream(provider: FakeProvider, seen: Capture, client: Any) -> None:
    provider.script(Fail(after=2))
    with pytest.raises(ollama.ResponseError, match="as scripted"):
        await drained(await done(client.chat(**CALL, stream=True)))
    known = dict.fromkeys(["gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"])
    told = {**known, "error.type": "ollama._types.ResponseError"}
    assert seen.spans == [span(provider, "chat", STREAMED, told, status="ERROR")]


async def test_an_error_in_the_first_line_of_a_stream(provider: FakeProvider, seen: Capture, client: Any) -> None:
    """The response was a good one, and said nothing else."""
    provider.script(Fail())
    with pytest.raises(ollama.ResponseError, match="as scripted"):
        await drained(await done(client.chat(**CALL, stream=True)))
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.attempt.statuses"] == [200]
    assert attributes["error.type"] == "ollama._types.ResponseError"


async def test_malformed_answer_is_an_error(provider: FakeProvider, seen: Capture, client: Any) -> None:
    provider.script(Malformed())
    with pytest.raises(ValueError, match="property name"):
        await done(client.chat(**CALL))
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.attempt.statuses"] == [200]
    assert attributes["error.type"] == "json.decoder.JSONDecodeError"


async def test_unreachable_server_is_an_error(seen: Capture, kind: str) -> None:
    client = {"sync": ollama.Client, "async": ollama.AsyncClient}[kind](host="http://127.0.0.1:1")
    with pytest.raises((ConnectionError, httpx.ConnectError)) as caught:  # the second in the oldest versions
        await done(client.chat(**CALL))
    attributes = seen.spans[0]["attributes"]
    assert attributes["otel_agentops.attempt.statuses"] == [0]
    assert attributes["error.type"].endswith(type(caught.value).__name__)


async def test_context_is_unchanged_while_a_stream_is_read(provider: FakeProvider, seen: Capture, client: Any) -> None:
    """Also where facts came as baggage, which is kept from the model's provider during the call."""
    token = context.attach(baggage.set_baggage("otel_agentops.task.id", "t-1"))
    try:
        before = context.get_current()
        async for _ in each(await done(client.chat(**CALL, stream=True))):
            assert context.get_current() == before
        assert context.get_current() == before
    finally:
        context.detach(token)
    assert len(seen.spans) == 1


def test_stream_left_as_the_loop_ends_adds_no_generator(provider: FakeProvider, seen: Capture) -> None:
    """A loop that ends closes its generators all at once; one around the SDK's own is an error in the log.

    The SDK's own are nested as well, so that asyncio logs errors without us.
    """
    files: list[str] = []
    streams: list[Any] = []

    async def read_one_chunk() -> None:
        register = sys.get_asyncgen_hooks().firstiter
        assert register is not None

        def note_generator(generator: Any) -> None:
            files.append(generator.ag_code.co_filename)
            register(generator)

        sys.set_asyncgen_hooks(firstiter=note_generator)  # the loop puts back what was before it
        streams.append(await ollama.AsyncClient(host=provider.url).chat(**CALL, stream=True))
        await anext(streams[0])

    asyncio.run(read_one_chunk())
    assert any("ollama" in Path(file).parts for file in files)
    assert [file for file in files if "otel_agentops" in Path(file).parts] == []
    streams.clear()
    gc.collect()
    assert len(seen.spans) == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_content_of_a_completion(content: Capture, client: Any, streams: bool) -> None:
    answer = await done(client.generate(model="llama-x", prompt="hi", system="Be brief.", stream=streams))
    if streams:
        await drained(answer)
    assert read_words(content) == [("system", "Be brief."), ("user", "hi"), ("assistant", "Hello there.")]
