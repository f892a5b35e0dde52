"""The scenarios of the official instrumentations' conformance tests, each once under theirs and once under ours.

    python tests/coexistence/official.py CLIENT

Prints JSON: {"theirs": {"calls": {"chat": {"error": null, "spans": [], "events": [], "bodies": []}}, "metrics": {}},
"ours": {...}}. Content is on spans and on events. Each side has a fork of its own, so nothing that one patches is left
for the other.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from cell import load_object, run_in_fork
from opentelemetry import trace
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, Status, ToolCall
from otel_agentops.testing.subject import TOOL

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
PNG = b"\x89PNG not a picture"
PNG_BASE64 = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG_BASE64}"
URL = "https://shop.example/cat.png"
SYSTEM, USER, RESULT = "Be brief.", "Umbrella?", "rainy, 57°F"
ARGUMENTS = {"city": "Paris"}
SCHEMA: Any = {"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]}
TOOL_ANSWER = Answer(text="", tool_calls=(ToolCall("weather", json.dumps(ARGUMENTS)),))
FULL_ANSWER = Answer(cache_write_tokens=3, thinking="It rains.")

Run = Callable[[], object]  # makes a call; the result is awaited if it is a coroutine


class Official(NamedTuple):
    """An official instrumentation and the client that it is for.

    Attributes:
        theirs: Its instrumentor, `module:class`.
        ours: Ours.
        list_scenarios: Makes the scenarios of a client that talks to a provider; `is_native` turns its own tracing on.
        content: Its own value for content in all places that it knows.
        is_traced_natively: True if the client makes spans of its own, which we enrich.
    """

    theirs: str
    ours: str
    list_scenarios: Callable[[FakeProvider, bool], Mapping[str, Run]]
    content: str = "SPAN_AND_EVENT"
    is_traced_natively: bool = False


def answer_with(provider: FakeProvider, answer: Answer, run: Run) -> Run:
    """Return the same call, which the provider answers so."""

    def run_with_answer() -> object:
        provider.answer(lambda call: answer)
        return run()

    return run_with_answer


def fail_with(provider: FakeProvider, run: Run) -> Run:
    """Return the same call, which the provider refuses."""

    def run_with_failure() -> object:
        provider.script(Status(400))
        return run()

    return run_with_failure


async def read_async_stream(result: Any) -> None:
    async for _ in await result:
        pass


# -- the clients


def list_openai(provider: FakeProvider, is_native: bool) -> dict[str, Run]:
    openai = import_module("openai")
    settings = {"api_key": "k", "base_url": provider.openai_url, "max_retries": 0}
    client, async_client = openai.OpenAI(**settings), openai.AsyncOpenAI(**settings)
    create, respond, embed = client.chat.completions.create, client.responses.create, client.embeddings.create
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": json.dumps(ARGUMENTS)}}
    pictures = [
        {"type": "text", "text": USER},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "input_audio", "input_audio": {"data": PNG_BASE64, "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-7"}},
    ]
    chat = {"model": "gpt-x", "messages": turns}
    tools = {"tools": [{"type": "function", "function": TOOL}]}
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    sampling = {
        "temperature": 0.0, "top_p": 0.5, "max_tokens": 9, "seed": 7, "stop": ["END"], "presence_penalty": 0.5,
        "frequency_penalty": 0.5, "service_tier": "default",
    }  # fmt: skip
    after = [
        *turns,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": RESULT},
    ]
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": SCHEMA}}
    flat = {"model": "gpt-x", "instructions": SYSTEM, "input": USER}
    flat_tools = {"tools": [{"type": "function", **TOOL}]}
    items = [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": USER}, {"type": "input_image", "image_url": PNG_URL}],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "It rains."}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": json.dumps(ARGUMENTS)},
        {"type": "function_call_output", "call_id": "call_1", "output": RESULT},
    ]
    settled = {
        "temperature": 0.0, "top_p": 0.5, "max_output_tokens": 9, "reasoning": {"effort": "low"},
        "service_tier": "default", "previous_response_id": "resp_0",
        "text": {"format": {"type": "json_schema", "name": "f", "schema": SCHEMA}},
    }  # fmt: skip
    return {
        "chat": lambda: create(**chat),
        "chat async": lambda: async_client.chat.completions.create(**chat),
        "chat with sampling": lambda: create(**chat, **sampling),
        "chat with an output type": lambda: create(**chat, response_format=form),
        "chat with reasoning": lambda: create(**chat, reasoning_effort="low"),
        "chat of several choices": lambda: create(**chat, n=2),
        "chat tool call": answer_with(provider, TOOL_ANSWER, lambda: create(**chat, **tools)),
        "chat after a tool call": lambda: create(model="gpt-x", messages=after, **tools),
        "chat with pictures": lambda: create(model="gpt-x", messages=[{"role": "user", "content": pictures}]),
        "chat cache": answer_with(provider, FULL_ANSWER, lambda: create(**chat)),
        "chat refused": fail_with(provider, lambda: create(**chat, **sampling)),
        "chat stream": lambda: list(create(**chat, **usage)),
        "chat stream async": lambda: read_async_stream(async_client.chat.completions.create(**chat, **usage)),
        "chat stream of several choices": lambda: list(create(**chat, **usage, n=2)),
        "chat stream tool call": answer_with(provider, TOOL_ANSWER, lambda: list(create(**chat, **tools, **usage))),
        "chat stream refused": fail_with(provider, lambda: list(create(**chat, **usage))),
        "responses": lambda: respond(**flat),
        "responses async": lambda: async_client.responses.create(**flat),
        "responses with settings": lambda: respond(**flat, **settled),
        "responses in a conversation": lambda: respond(**flat, conversation="conv_1"),
        "responses tool call": answer_with(provider, TOOL_ANSWER, lambda: respond(**flat, **flat_tools)),
        "responses after a tool call": lambda: respond(model="gpt-x", input=items, **flat_tools),
        "responses refused": fail_with(provider, lambda: respond(**flat)),
        "responses stream": lambda: list(respond(**flat, stream=True)),
        "responses stream tool call": answer_with(
            provider, TOOL_ANSWER, lambda: list(respond(**flat, **flat_tools, stream=True))
        ),
        "responses fetched": lambda: client.responses.retrieve("resp_fake"),
        "embeddings": lambda: embed(model="e-x", input=["hi"], dimensions=8, encoding_format="float"),
        "embeddings refused": fail_with(provider, lambda: embed(model="e-x", input="hi")),
    }  # fmt: skip


def list_anthropic(provider: FakeProvider, is_native: bool) -> dict[str, Run]:
    anthropic = import_module("anthropic")
    settings = {
        "api_key": "k", "base_url": provider.anthropic_url, "max_retries": 0,
        "open_telemetry": None if is_native else False,
    }  # fmt: skip
    client, async_client = anthropic.Anthropic(**settings), anthropic.AsyncAnthropic(**settings)
    create = client.messages.create
    chat: Any = {
        "model": "claude-x",
        "max_tokens": 9,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": USER}],
    }
    tools = {"tools": [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}]}
    pictures = [
        {"type": "text", "text": USER},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}},
        {"type": "image", "source": {"type": "url", "url": URL}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Page one."}},
    ]
    after = [
        *chat["messages"],
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "It rains.", "signature": "x"},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": ARGUMENTS},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": RESULT}]},
    ]  # fmt: skip
    sampling = {
        "stop_sequences": ["END"],
        "service_tier": "auto",
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }

    def manage() -> None:
        with client.messages.stream(**chat) as stream:
            list(stream)

    return {
        "chat": lambda: create(**chat),
        "chat async": lambda: async_client.messages.create(**chat),
        "chat with sampling": lambda: create(**chat, **sampling),
        "chat tool call": answer_with(provider, TOOL_ANSWER, lambda: create(**chat, **tools)),
        "chat after a tool call": lambda: create(**{**chat, "messages": after}, **tools),
        "chat with pictures": lambda: create(**{**chat, "messages": [{"role": "user", "content": pictures}]}),
        "chat with thinking": answer_with(provider, FULL_ANSWER, lambda: create(**chat)),
        "chat stopped": answer_with(provider, Answer(finish="max_tokens"), lambda: create(**chat)),
        "chat refused": fail_with(provider, lambda: create(**chat, **sampling)),
        "stream": lambda: list(create(**chat, stream=True)),
        "stream async": lambda: read_async_stream(async_client.messages.create(**chat, stream=True)),
        "stream manager": manage,
        "stream with thinking": answer_with(provider, FULL_ANSWER, lambda: list(create(**chat, stream=True))),
        "stream tool call": answer_with(provider, TOOL_ANSWER, lambda: list(create(**chat, **tools, stream=True))),
        "stream refused": fail_with(provider, lambda: list(create(**chat, stream=True))),
    }


def list_google_genai(provider: FakeProvider, is_native: bool) -> dict[str, Run]:
    genai = import_module("google.genai")
    retries = {"attempts": 1}
    client = genai.Client(api_key="k", http_options={"base_url": provider.url, "retry_options": retries})
    models = client.models
    create, stream, embed = models.generate_content, models.generate_content_stream, models.embed_content
    chat: Any = {"model": "gemini-x", "contents": USER}
    config: Any = {"system_instruction": SYSTEM}
    tool = {"name": TOOL["name"], "description": TOOL["description"], "parameters_json_schema": TOOL["parameters"]}
    tools: Any = {**config, "tools": [{"function_declarations": [tool]}]}
    sampling = {
        **config, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "max_output_tokens": 9, "stop_sequences": ["END"],
        "seed": 7, "presence_penalty": 0.5, "frequency_penalty": 0.5,
    }  # fmt: skip
    after: Any = [
        {"role": "user", "parts": [{"text": USER}]},
        {"role": "model", "parts": [{"function_call": {"id": "call_1", "name": "weather", "args": ARGUMENTS}}]},
        {
            "role": "user",
            "parts": [{"function_response": {"id": "call_1", "name": "weather", "response": {"sky": "rainy"}}}],
        },
    ]
    pictures: Any = [
        {"role": "user", "parts": [
            {"text": USER},
            {"inline_data": {"data": PNG, "mime_type": "image/png"}},
            {"file_data": {"file_uri": URL, "mime_type": "image/png"}},
        ]},
    ]  # fmt: skip

    def weather(city: str) -> str:
        """The weather in a city."""
        return RESULT

    def call_function() -> object:
        answers = iter((TOOL_ANSWER, Answer()))
        provider.answer(lambda call: next(answers))
        return create(**chat, config={**config, "tools": [weather]})

    form = {**config, "response_mime_type": "application/json", "response_json_schema": SCHEMA}
    interact = client.interactions.create
    interaction = {"model": "gemini-x", "input": USER, "system_instruction": SYSTEM}
    return {
        "chat": lambda: create(**chat, config=config),
        "chat async": lambda: client.aio.models.generate_content(**chat, config=config),
        "chat with sampling": lambda: create(**chat, config=sampling),
        "chat with an output type": lambda: create(**chat, config=form),
        "chat of several choices": lambda: create(**chat, config={**config, "candidate_count": 2}),
        "chat tool call": answer_with(provider, TOOL_ANSWER, lambda: create(**chat, config=tools)),
        "chat after a tool call": lambda: create(model="gemini-x", contents=after, config=tools),
        "chat with a function": call_function,
        "chat with pictures": lambda: create(model="gemini-x", contents=pictures),
        "chat with thinking": answer_with(provider, FULL_ANSWER, lambda: create(**chat, config=config)),
        "chat refused": fail_with(provider, lambda: create(**chat, config=sampling)),
        "stream": lambda: list(stream(**chat, config=config)),
        "stream async": lambda: read_async_stream(client.aio.models.generate_content_stream(**chat, config=config)),
        "stream tool call": answer_with(provider, TOOL_ANSWER, lambda: list(stream(**chat, config=tools))),
        "stream of several choices": lambda: list(stream(**chat, config={**config, "candidate_count": 2})),
        "embeddings": lambda: embed(model="e-x", contents=["hi"], config={"output_dimensionality": 8}),
        "interaction": lambda: interact(**interaction),
        "interaction stream": lambda: list(interact(**interaction, stream=True)),
        "interaction tool call": answer_with(
            provider, TOOL_ANSWER, lambda: interact(**interaction, tools=[{"type": "function", **TOOL}])
        ),
    }  # fmt: skip


def list_bedrock(provider: FakeProvider, is_native: bool) -> dict[str, Run]:
    client = import_module("bedrock_subject").made("sync", "bedrock-runtime", provider.url)
    chat: Any = {
        "modelId": "anthropic.claude-x",
        "system": [{"text": SYSTEM}],
        "messages": [{"role": "user", "content": [{"text": USER}]}],
    }
    schema = {"json": TOOL["parameters"]}
    spec = {"name": TOOL["name"], "description": TOOL["description"], "inputSchema": schema}
    tools = {"toolConfig": {"tools": [{"toolSpec": spec}]}}
    sampling = {"inferenceConfig": {"temperature": 0.0, "topP": 0.5, "maxTokens": 9, "stopSequences": ["END"]}}
    use = {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": ARGUMENTS}}
    result = {"toolResult": {"toolUseId": "call_1", "content": [{"text": RESULT}]}}
    after = [*chat["messages"], {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    picture = {"image": {"format": "png", "source": {"bytes": PNG}}}
    pictures = [{"role": "user", "content": [{"text": USER}, picture]}]

    def invoke(model: str, **body: Any) -> object:
        return client.invoke_model(modelId=model, body=json.dumps(body))["body"].read()

    def invoke_stream(model: str, **body: Any) -> object:
        return list(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"])

    claude = {"max_tokens": 9, "system": SYSTEM, "messages": [{"role": "user", "content": USER}], "temperature": 0.0,
              "top_p": 0.5, "stop_sequences": ["END"], "anthropic_version": "bedrock-2023-05-31"}  # fmt: skip
    titan = {"inputText": USER, "textGenerationConfig": {"temperature": 0.0, "maxTokenCount": 9, "topP": 0.5}}
    nova: Any = {"messages": chat["messages"], "system": [{"text": SYSTEM}], "inferenceConfig": {"max_new_tokens": 9}}
    return {
        "converse": lambda: client.converse(**chat),
        "converse with sampling": lambda: client.converse(**chat, **sampling),
        "converse tool call": answer_with(provider, TOOL_ANSWER, lambda: client.converse(**chat, **tools)),
        "converse after a tool call": lambda: client.converse(**{**chat, "messages": after}, **tools),
        "converse with pictures": lambda: client.converse(**{**chat, "messages": pictures}),
        "converse refused": fail_with(provider, lambda: client.converse(**chat)),
        "converse stream": lambda: list(client.converse_stream(**chat)["stream"]),
        "converse stream tool call": answer_with(
            provider, TOOL_ANSWER, lambda: list(client.converse_stream(**chat, **tools)["stream"])
        ),
        "invoke claude": lambda: invoke("anthropic.claude-x", **claude),
        "invoke titan": lambda: invoke("amazon.titan-text-x", **titan),
        "invoke nova": lambda: invoke("amazon.nova-x", **nova),
        "invoke stream claude": lambda: invoke_stream("anthropic.claude-x", **claude),
        "invoke stream titan": lambda: invoke_stream("amazon.titan-text-x", **titan),
        "invoke stream nova": lambda: invoke_stream("amazon.nova-x", **nova),
    }


_GENAI = "opentelemetry.instrumentation.genai"
OFFICIAL = {
    "openai": Official(f"{_GENAI}.openai:OpenAIInstrumentor", "otel_agentops.clients.openai:Instrumentor", list_openai),
    "anthropic": Official(
        f"{_GENAI}.anthropic:AnthropicInstrumentor",
        "otel_agentops.clients.anthropic:Instrumentor",
        list_anthropic,
        is_traced_natively=True,
    ),
    "google_genai": Official(
        "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
        "otel_agentops.clients.google_genai:Instrumentor",
        list_google_genai,
    ),
    "bedrock": Official(
        "opentelemetry.instrumentation.botocore:BotocoreInstrumentor",
        "otel_agentops.clients.bedrock:Instrumentor",
        list_bedrock,
        content="true",
    ),
}


async def run_side(official: Official, instrumentor: str, content: str, is_native: bool) -> dict[str, Any]:
    """Return what each scenario emits under one instrumentation, and the metrics of all of them."""
    os.environ[CAPTURE] = content
    calls: dict[str, Any] = {}
    with FakeProvider() as provider, capture(load_object(instrumentor)()) as seen:
        logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        seen.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
        trace.set_tracer_provider(seen.tracer_provider)  # a client that traces itself uses the global one
        for model in ("", "gpt-x", "claude-x", "gemini-x", "e-x"):
            provider.alias(model, f"{model}-2026-03-01")
        for name, run in official.list_scenarios(provider, is_native).items():
            provider.answer(lambda call: Answer())
            error = None
            try:
                result = run()
                if inspect.isawaitable(result):
                    await result
            except Exception as raised:  # noqa: BLE001  some scenarios are refused
                error = repr(raised)
            bodies = [log.log_record.body for log in logs.get_finished_logs()]
            calls[name] = {"error": error, "spans": seen.spans, "events": seen.events, "bodies": bodies}
            seen.clear()
            logs.clear()
        port = int(provider.url.rpartition(":")[2])
        text = json.dumps({"calls": calls, "metrics": seen.metrics}, default=_write_value)
        emitted: dict[str, Any] = json.loads(text.replace(f'"server.port": {port}', '"server.port": "theirs and ours"'))
        return emitted


def _write_value(value: Any) -> Any:
    """Return what JSON has no form of as JSON has it: their events carry bytes, and mappings that are no dict."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else dict(value)


def main(client: str) -> None:
    logging.disable()
    official = OFFICIAL[client]
    sides = {"theirs": (official.theirs, official.content, False), "ours": (official.ours, "SPAN_AND_EVENT", False)}
    if official.is_traced_natively:
        sides["native"] = (official.ours, "SPAN_AND_EVENT", True)
    for instrumentor in (official.theirs, official.ours):
        load_object(instrumentor)  # imported once for all forks
    results = {
        name: run_in_fork(lambda side=side: asyncio.run(run_side(official, *side))) for name, side in sides.items()
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
