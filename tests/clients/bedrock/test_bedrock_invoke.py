"""InvokeModel: bodies of each family, as spans; the body that the application reads is the one it would have."""

from __future__ import annotations

import gc
import io
import json
import re
from typing import Any

import pytest
from bedrock_subject import call, made
from both import done, drained
from content_schemas import read_words

from otel_agentops._hashing import identity
from otel_agentops.clients.bedrock import Instrumentor
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.contract import iterate_items as each
from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
SAID = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "system": "Be short."}
TURNS = [{"role": "user", "content": "hi"}]
OPENAI = [{"role": "system", "content": "Be short."}, *TURNS]
# model, body, operation, what of it is on the span, parameters, what the answer tells beside the counts
FAMILIES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "claude": (
        CLAUDE,
        {**SAID, "messages": TURNS},
        "chat",
        {"gen_ai.request.max_tokens": 9, "otel_agentops.prompt.hash": identity(["Be short."])},
        {"max_tokens": 9},
        {
            "gen_ai.response.finish_reasons": ["end_turn"],
            "gen_ai.response.id": "msg_fake",
            "gen_ai.response.model": CLAUDE,
            "otel_agentops.model.resolution": "echoed",
        },
    ),
    "nova": (
        "us.amazon.nova-lite-v1:0",
        {
            "system": [{"text": "Be short."}],
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "inferenceConfig": {"maxTokens": 9, "topK": 20},
        },
        "chat",
        {
            "gen_ai.request.max_tokens": 9,
            "gen_ai.request.top_k": 20,
            "otel_agentops.prompt.hash": identity(["Be short."]),
        },
        {"maxTokens": 9, "topK": 20},
        {"gen_ai.response.finish_reasons": ["end_turn"]},
    ),
    "titan": (
        "amazon.titan-text-express-v1",
        {"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 9, "topP": 0.5, "stopSequences": ["x"]}},
        "text_completion",
        {
            "gen_ai.request.max_tokens": 9,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.stop_sequences": ["x"],
        },
        {"maxTokenCount": 9, "topP": 0.5, "stopSequences": ["x"]},
        {"gen_ai.response.finish_reasons": ["FINISH"]},
    ),
    "llama": (
        "meta.llama3-8b-instruct-v1:0",
        {"prompt": "hi", "max_gen_len": 9},
        "text_completion",
        {"gen_ai.request.max_tokens": 9},
        {"max_gen_len": 9},
        {"gen_ai.response.finish_reasons": ["stop"]},
    ),
    "mistral": (
        "mistral.mistral-7b-instruct-v0:2",
        {"prompt": "hi", "max_tokens": 9, "top_k": 5},
        "text_completion",
        {"gen_ai.request.max_tokens": 9, "gen_ai.request.top_k": 5},
        {"max_tokens": 9, "top_k": 5},
        {"gen_ai.response.finish_reasons": ["stop"]},
    ),
    "mistral chat": (
        "mistral.mistral-large-2407-v1:0",
        {"messages": OPENAI, "max_tokens": 9},
        "chat",
        {"gen_ai.request.max_tokens": 9, "otel_agentops.prompt.hash": identity(["Be short."])},
        {"max_tokens": 9},
        {"gen_ai.response.finish_reasons": ["stop"]},
    ),
    "command": (
        "cohere.command-text-v14",
        {"prompt": "hi", "max_tokens": 9, "p": 0.5},
        "text_completion",
        {"gen_ai.request.max_tokens": 9, "gen_ai.request.top_p": 0.5},
        {"max_tokens": 9, "p": 0.5},
        {"gen_ai.response.finish_reasons": ["COMPLETE"], "gen_ai.response.id": "fake"},
    ),
    "command-r": (
        "cohere.command-r-plus-v1:0",
        {"message": "hi", "preamble": "Be short.", "max_tokens": 9},
        "chat",
        {"gen_ai.request.max_tokens": 9, "otel_agentops.prompt.hash": identity(["Be short."])},
        {"max_tokens": 9},
        {"gen_ai.response.finish_reasons": ["COMPLETE"], "gen_ai.response.id": "fake"},
    ),
    "deepseek": (
        "us.deepseek.r1-v1:0",
        {"prompt": "hi", "max_tokens": 9},
        "text_completion",
        {"gen_ai.request.max_tokens": 9},
        {"max_tokens": 9},
        {"gen_ai.response.finish_reasons": ["stop"]},
    ),
    "jamba": (
        "ai21.jamba-1-5-mini-v1:0",
        {"messages": OPENAI, "max_tokens": 9},
        "chat",
        {"gen_ai.request.max_tokens": 9, "otel_agentops.prompt.hash": identity(["Be short."])},
        {"max_tokens": 9},
        {
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.id": "chatcmpl-fake",
            "gen_ai.response.model": "ai21.jamba-1-5-mini-v1:0",
            "otel_agentops.model.resolution": "echoed",
        },
    ),
    "gpt-oss": (
        "openai.gpt-oss-20b-1:0",
        {"messages": OPENAI, "max_completion_tokens": 9, "reasoning_effort": "low"},
        "chat",
        {
            "gen_ai.request.max_tokens": 9,
            "gen_ai.request.reasoning.level": "low",
            "otel_agentops.prompt.hash": identity(["Be short."]),
        },
        {"max_completion_tokens": 9, "reasoning_effort": "low"},
        {
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.id": "chatcmpl-fake",
            "gen_ai.response.model": "openai.gpt-oss-20b-1:0",
            "otel_agentops.model.resolution": "echoed",
        },
    ),
    "hidden": (  # an application inference profile: only the body says whose it is
        "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
        {**SAID, "messages": TURNS},
        "chat",
        {"gen_ai.request.max_tokens": 9, "otel_agentops.prompt.hash": identity(["Be short."])},
        {"max_tokens": 9},
        {
            "gen_ai.response.finish_reasons": ["end_turn"],
            "gen_ai.response.id": "msg_fake",
            "gen_ai.response.model": "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123",
            "otel_agentops.model.resolution": "echoed",
        },
    ),
    "unknown": ("new.model", {"question": "hi", "cleverness": 9}, "generate_content", {}, {}, {}),
}
COUNTED = {
    "gen_ai.usage.cache_creation.input_tokens": 0,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
}

# What a plain body of these counts by itself; the last chunk of a stream has the service's counts alone.
TOTALS = {"gen_ai.usage.cache_creation.input_tokens": None, "gen_ai.usage.cache_read.input_tokens": None}
DETAILS = {"gen_ai.usage.cache_creation.input_tokens": None, "gen_ai.usage.reasoning.output_tokens": 2}
BY_THEMSELVES: dict[str, dict[str, Any]] = {"titan": TOTALS, "llama": TOTALS, "jamba": DETAILS, "gpt-oss": DETAILS}


# Completions of several families share their fields, which spell nucleus sampling in three ways: it is not told.
SAMPLING: dict[str, tuple[str, ...]] = {
    "nova": ("temperature", "topP", "topK", "stopSequences"),
    "command-r": ("temperature", "p", "k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences"),
    "claude": ("temperature", "top_p", "top_k", "stop_sequences"),
    "application-inference-profile": ("temperature", "top_p", "top_k", "stop_sequences"),
    "deepseek": ("temperature",),
    "titan": ("temperature",),
    "llama3": ("temperature",),
    "mistral-7b": ("temperature",),
    "cohere.command-text": ("temperature",),
}


def sent(provider: FakeProvider, model: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """What every call says."""
    family = next((family for prefix, family in SAMPLING.items() if prefix in model), ("temperature", "top_p"))
    unset = family if operation in ("chat", "text_completion") else ()
    sources = {f"otel_agentops.param.{name}.source": "unset" for name in unset}
    sources |= {f"otel_agentops.param.{name}.source": "explicit" for name in params}
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": model,
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.rpartition(":")[2]),
        **({"otel_agentops.params.hash": identity(params)} if params else {}),
        **sources,
    }


def span(attributes: dict[str, Any], status: str = "UNSET") -> dict[str, Any]:
    name = f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}"
    return {
        "name": name,
        "kind": "CLIENT",
        "status": status,
        "parent": None,
        "attributes": dict(sorted(attributes.items())),
    }


def expected(provider: FakeProvider, family: str, **more: Any) -> dict[str, Any]:
    model, _, operation, asked, params, told = FAMILIES[family]
    source = "instructions" if "otel_agentops.prompt.hash" in asked else "none"
    found = {
        **sent(provider, model, operation, params),
        **asked,
        **({} if family == "unknown" else {"otel_agentops.prompt.source": source}),
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "unreported",
        **COUNTED,
        **told,
        **({} if more else BY_THEMSELVES.get(family, {})),
        **more,
    }
    return span({name: value for name, value in found.items() if value is not None})


async def invoke(bedrock: Any, family: str = "claude", **more: Any) -> Any:
    model, body, *_ = FAMILIES[family]
    return await done(call(bedrock, "invoke_model", modelId=model, body=json.dumps(body), **more))


@pytest.mark.parametrize("family", FAMILIES)
async def test_invoke_model_is_one_span_after_its_body_is_read(
    provider: FakeProvider, seen: Capture, bedrock: Any, family: str
) -> None:
    body = (await invoke(bedrock, family))["body"]
    assert seen.spans == [], "the answer is known only when the application reads it"
    json.loads(await done(body.read()))
    assert seen.spans == [expected(provider, family)]


@pytest.mark.parametrize("family", FAMILIES)
async def test_invoke_model_stream_is_one_span(
    provider: FakeProvider, seen: Capture, bedrock: Any, family: str
) -> None:
    model, body, *_ = FAMILIES[family]
    streaming = call(bedrock, "invoke_model_with_response_stream", modelId=model, body=json.dumps(body).encode())
    events = await drained((await done(streaming))["body"])
    assert all(json.loads(event["chunk"]["bytes"]) for event in events)
    streamed = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
    unsaid = {"gen_ai.response.id": None} if family == "command" else {}
    assert seen.spans == [expected(provider, family, **streamed, **unsaid)]
    (found,) = seen.spans
    assert found["attributes"]["gen_ai.usage.input_tokens"] == 11


@pytest.mark.parametrize(
    ("model", "body", "asked", "params"),
    [
        (
            "amazon.titan-embed-text-v2:0",
            {"inputText": "hi", "dimensions": 256},
            {"gen_ai.embeddings.dimension.count": 256},
            {"dimensions": 256},
        ),
        (
            "cohere.embed-english-v3",
            {"texts": ["hi"], "input_type": "search_query", "embedding_types": ["int8"]},
            {"gen_ai.request.encoding_formats": ["int8"]},
            {"input_type": "search_query", "embedding_types": ["int8"]},
        ),
    ],
)
async def test_embeddings(
    provider: FakeProvider, seen: Capture, bedrock: Any, model: str, body: Any, asked: Any, params: Any
) -> None:
    result = await done(call(bedrock, "invoke_model", modelId=model, body=json.dumps(body)))
    await done(result["body"].read())
    found = {
        **sent(provider, model, "embeddings", params),
        **asked,
        **COUNTED,
        "otel_agentops.prompt.source": "none",
        "otel_agentops.attempt.count": 1,
        "otel_agentops.attempt.statuses": [200],
        "otel_agentops.model.resolution": "unreported",
    }
    del found["gen_ai.usage.output_tokens"]
    assert seen.spans == [span(found)]


async def test_tool_hash_is_equal_in_every_model_family(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"name": "weather", "description": "The weather."}
    offered: dict[str, dict[str, Any]] = {
        "claude": {"tools": [{**tool, "input_schema": schema}]},
        "nova": {"toolConfig": {"tools": [{"toolSpec": {**tool, "inputSchema": {"json": schema}}}]}},
        "mistral chat": {"tools": [{"type": "function", "function": {**tool, "parameters": schema}}]},
        "command-r": {"tools": [{**tool, "parameter_definitions": {"city": {"type": "str", "required": True}}}]},
    }
    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    for family, more in offered.items():
        model, body, *_ = FAMILIES[family]
        result = await done(call(bedrock, "invoke_model", modelId=model, body=json.dumps({**body, **more})))
        await done(result["body"].read())
    hashes = [found["attributes"]["otel_agentops.tools.hash"] for found in seen.spans]
    material = {**tool, "input_schema": schema}
    assert hashes == [identity([identity(material)])] * len(offered)


async def test_settings_in_headers_are_parameters(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    more = {"guardrailIdentifier": "gr-1", "guardrailVersion": "2", "performanceConfigLatency": "optimized"}
    await done((await invoke(bedrock, **more))["body"].read())
    params = {
        "max_tokens": 9,
        "performanceConfigLatency": "optimized",
        "guardrailIdentifier": "gr-1",
        "guardrailVersion": "2",
    }
    asked = {
        "aws.bedrock.guardrail.id": "gr-1",
        "otel_agentops.params.hash": identity(params),
        **{f"otel_agentops.param.{name}.source": "explicit" for name in params},
    }
    plain = expected(provider, "claude")
    assert seen.spans == [span({**plain["attributes"], **asked})]


# -- the body is the application's


@pytest.mark.parametrize("name", ["invoke_model", "invoke_model_with_response_stream"])
async def test_unread_body_ends_its_span_when_collected(
    provider: FakeProvider, seen: Capture, bedrock: Any, name: str
) -> None:
    model, body, *_ = FAMILIES["claude"]
    await done(call(bedrock, name, modelId=model, body=json.dumps(body)))
    gc.collect()
    assert [(found["name"], found["status"]) for found in seen.spans] == [(f"chat {model}", "UNSET")]


async def whole(body: Any) -> bytes:
    return bytes(await done(body.read()))


async def by_bytes(body: Any) -> bytes:
    found = b""
    while part := await done(body.read(7)):
        found += part
    return found


async def by_chunks(body: Any) -> bytes:
    return b"".join([part async for part in each(body.iter_chunks(16))])


async def by_lines(body: Any) -> bytes:
    return b"".join([part async for part in each(body.iter_lines())])


async def by_iteration(body: Any) -> bytes:
    return b"".join([part async for part in each(body)])


async def into_a_buffer(body: Any) -> bytes:
    found, buffer = b"", bytearray(32)
    while count := await done(body.readinto(buffer)):
        found += bytes(buffer[:count])
    return found


async def in_a_block(body: Any) -> bytes:
    if hasattr(body, "__aenter__"):
        async with body as inner:
            return bytes(await inner.read())
    with body as inner:
        return bytes(inner.read())


WAYS = [whole, by_bytes, by_chunks, by_lines, by_iteration, into_a_buffer, in_a_block]


@pytest.mark.parametrize("way", WAYS)
async def test_body_can_be_read_in_any_way(
    provider: FakeProvider, instrumentor: Any, make: Any, kind: str, way: Any
) -> None:
    """The same bytes as without us, and the answer is known at their end."""
    client = make()
    plain = (await invoke(client))["body"]
    if way is into_a_buffer and not hasattr(plain, "readinto"):
        pytest.skip("this version has no readinto")
    alone = await way(plain)
    with capture(instrumentor) as seen:
        body = (await invoke(client))["body"]
        assert type(body) is type(plain)
        assert await way(body) == alone
        assert seen.spans == [expected(provider, "claude")]


async def test_unread_body_has_the_token_counts_of_the_headers(
    provider: FakeProvider, seen: Capture, bedrock: Any
) -> None:
    await invoke(bedrock)
    unread = {"gen_ai.response.finish_reasons": None, "gen_ai.response.id": None, "gen_ai.response.model": None}
    assert seen.spans == [expected(provider, "claude", **unread, **{"otel_agentops.model.resolution": "unreported"})]


async def test_closed_body_ends_its_span(provider: FakeProvider, seen: Capture, bedrock: Any, kind: str) -> None:
    body = (await invoke(bedrock))["body"]
    await done(body.read(5))
    await done(body.close())
    del body
    (found,) = seen.spans
    assert found["attributes"]["gen_ai.usage.output_tokens"] == 5
    assert found["status"] == "UNSET"


# Their ids do not tell the shape of the body: Mistral's have two, a profile and an unknown model hide it.
UNKNOWABLE = frozenset({"mistral", "mistral chat", "deepseek", "hidden", "unknown"})


class File(io.BytesIO):
    """A file of the application, which counts how often it is read."""

    reads = 0

    def read(self, *size: Any) -> bytes:
        self.reads += 1
        return super().read(*size)


@pytest.mark.parametrize("family", FAMILIES)
def test_file_body_is_read_as_its_family_by_the_model_id(family: str, provider: FakeProvider, seen: Capture) -> None:
    """Its answer is that of a readable body; parameters and prompt stay unknown, and nobody but the library reads."""
    model, body, operation, *_ = FAMILIES[family]
    client, file = made("sync", "bedrock-runtime", provider.url), File(json.dumps(body).encode())
    client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()
    client.invoke_model(modelId=model, body=file)["body"].read()
    assert provider.requests[-1].body == body
    readable, unreadable = (span["attributes"] for span in seen.spans)
    if family in UNKNOWABLE:
        assert unreadable["gen_ai.operation.name"] == "generate_content"
        assert "gen_ai.response.finish_reasons" not in unreadable
        return
    asked = re.compile(r"gen_ai\.(request\.(?!model)|output)|otel_agentops\.(prompt|param|params|tools?)\.")
    assert unreadable == {name: value for name, value in readable.items() if not asked.match(name)}
    assert unreadable["gen_ai.operation.name"] == operation
    Instrumentor().uninstrument()
    same_file = File(json.dumps(body).encode())
    client.invoke_model(modelId=model, body=same_file)["body"].read()
    assert file.reads == same_file.reads


def test_body_in_memory_is_read_from_its_position(provider: FakeProvider, seen: Capture) -> None:
    model, body, *_ = FAMILIES["claude"]
    client, stream = made("sync", "bedrock-runtime", provider.url), io.BytesIO(b"skipped" + json.dumps(body).encode())
    stream.seek(len(b"skipped"))
    client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()
    client.invoke_model(modelId=model, body=stream)["body"].read()
    readable, in_memory = seen.spans
    assert provider.requests[-1].body == body
    assert in_memory == readable


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("streams", [False, True])
async def test_content(content: Capture, bedrock: Any, family: str, streams: bool) -> None:
    """The words of every family; nobody knows what an unknown one says."""
    model, body, *_ = FAMILIES[family]
    if streams:
        call_stream = call(bedrock, "invoke_model_with_response_stream", modelId=model, body=json.dumps(body).encode())
        await drained((await done(call_stream))["body"])
    else:
        await done((await invoke(bedrock, family))["body"].read())
    system = [("system", "Be short.")] if "Be short." in json.dumps(body) else []
    words = [] if family == "unknown" else [*system, ("user", "hi"), ("assistant", "Hello there.")]
    assert [(role, text.strip()) for role, text in read_words(content)] == words
