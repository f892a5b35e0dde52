"""One cell of the matrix, in a process of its own: patch a client in this order, make every kind of call, report.

    python cell.py '{"client": "anthropic", "install": ["ours", "official"]}'

Prints JSON: after each step of `install`, for each kind of call, with and without the client's own tracing, the spans
and token counts it made: [{"native": {"sync messages": {"error", "spans", "measured"}}}].
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from both import KINDS, done
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import task
from otel_agentops.testing.fake_provider import Answer, FakeProvider

INSTRUMENTORS = {
    ("openai", "ours"): "otel_agentops.clients.openai:Instrumentor",
    ("openai", "official"): "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    ("openai", "OpenLLMetry"): "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    ("openai", "OpenInference"): "openinference.instrumentation.openai:OpenAIInstrumentor",
    ("anthropic", "ours"): "otel_agentops.clients.anthropic:Instrumentor",
    ("anthropic", "official"): "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ("anthropic", "OpenLLMetry"): "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ("anthropic", "OpenInference"): "openinference.instrumentation.anthropic:AnthropicInstrumentor",
}
IDS = map(str, itertools.count())  # a peer keeps what it saw of an answer by its id
ASK = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}}


async def drained(items: Any, kind: str) -> None:
    """Read a stream as an application does, that is by its kind: a proxy may offer both ways and have one."""
    if kind == "async":
        async for _ in items:
            pass
    else:
        for _ in items:
            pass


async def plain(create: Any, kind: str, **call: Any) -> None:
    await done(create.create(**call))


async def stream(create: Any, kind: str, **call: Any) -> None:
    await drained(await done(create.create(**call, stream=True)), kind)


async def manager(create: Any, kind: str, **call: Any) -> None:
    if kind == "async":
        async with create.stream(**call) as entered:
            await drained(entered, kind)
    else:
        with create.stream(**call) as entered:
            await drained(entered, kind)


async def raw(create: Any, kind: str, **call: Any) -> None:
    await done((await done(create.with_raw_response.create(**call))).parse())


async def raw_stream(create: Any, kind: str, **call: Any) -> None:
    response = await done(create.with_raw_response.create(**call, stream=True))
    await drained(await done(response.parse()), kind)


async def streaming_response(create: Any, kind: str, **call: Any) -> None:
    if kind == "async":
        async with create.with_streaming_response.create(**call) as response:
            await response.parse()
    else:
        with create.with_streaming_response.create(**call) as response:
            response.parse()


Kind = Callable[[Any, str], Awaitable[None]]


def _of(how: Callable[..., Awaitable[None]], resource: Callable[[Any], Any], **call: Any) -> Kind:
    return lambda client, kind: how(resource(client), kind, **call)


def _anthropic_kinds() -> dict[str, Kind]:
    tool = {"name": "weather", "description": "of a town", "input_schema": SCHEMA}
    call: Any = {"model": "claude-x", "max_tokens": 9, "messages": ASK, "system": "Be brief.", "tools": [tool]}
    ways = {"": plain, " stream": stream, " manager": manager, " raw": raw, " raw stream": raw_stream}
    ways[" streaming response"] = streaming_response
    messages = {f"messages{name}": _of(way, lambda client: client.messages, **call) for name, way in ways.items()}
    beta = {name: _of(ways[name], lambda client: client.beta.messages, **call) for name in ("", " manager")}
    return messages | {f"beta messages{name}": made for name, made in beta.items()}


def _openai_kinds() -> dict[str, Kind]:
    function = {"name": "weather", "description": "of a town", "parameters": SCHEMA}
    turns = [{"role": "system", "content": "Be brief."}, *ASK]
    chat: Any = {
        "model": "gpt-x",
        "temperature": 0,
        "messages": turns,
        "tools": [{"type": "function", "function": function}],
    }
    usage = {"stream_options": {"include_usage": True}}
    flat: Any = {
        "model": "gpt-x",
        "temperature": 0,
        "input": "hi",
        "instructions": "Be brief.",
        "tools": [{"type": "function", **function}],
    }

    def completions(client: Any) -> Any:
        return client.chat.completions

    return {
        "chat": _of(plain, completions, **chat),
        "chat stream": _of(stream, completions, **chat, **usage),
        "chat manager": _of(manager, completions, **chat, **usage),
        "chat raw": _of(raw, completions, **chat),
        "chat raw stream": _of(raw_stream, completions, **chat, **usage),
        "chat streaming response": _of(streaming_response, completions, **chat),
        "responses": _of(plain, lambda client: client.responses, **flat),
        "responses stream": _of(stream, lambda client: client.responses, **flat),
        "embeddings": _of(plain, lambda client: client.embeddings, model="gpt-x", input="hi"),
    }


CALLS = {"anthropic": _anthropic_kinds, "openai": _openai_kinds}


class Cell:
    """The global providers of this process, and what they saw since the last look."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        trace.set_tracer_provider(tracers)
        self.reader = InMemoryMetricReader({Histogram: AggregationTemporality.DELTA})
        metrics.set_meter_provider(MeterProvider([self.reader]))

    def look(self) -> dict[str, Any]:
        """Spans below the task, and how often each scope recorded token counts by type; both are then forgotten."""
        found = [_span(span) for span in self.spans.get_finished_spans() if span.name != "invoke_workflow matrix"]
        self.spans.clear()
        return {"spans": found, "measured": self._measured()}

    def _measured(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        data = self.reader.get_metrics_data()
        for scope in (
            scope for resource in (data.resource_metrics if data else ()) for scope in resource.scope_metrics
        ):
            for metric in scope.metrics:
                if metric.name == "gen_ai.client.token.usage":
                    kinds = counts.setdefault(scope.scope.name, {})
                    for point in metric.data.data_points:
                        kind = str(point.attributes["gen_ai.token.type"])
                        kinds[kind] = kinds.get(kind, 0) + point.count
        return counts


def _span(span: Any) -> dict[str, Any]:
    attributes = {key: list(value) if isinstance(value, tuple) else value for key, value in span.attributes.items()}
    return {"scope": span.instrumentation_scope.name, "name": span.name, "attributes": attributes}


def client_of(name: str, kind: str, provider: FakeProvider, native: bool) -> Any:
    """The client as an application makes it. native: whether one that can trace itself does."""
    library = import_module(name)
    if name == "openai":
        made = {"sync": library.OpenAI, "async": library.AsyncOpenAI}[kind]
        return made(api_key="k", base_url=provider.openai_url)
    made = {"sync": library.Anthropic, "async": library.AsyncAnthropic}[kind]
    return made(api_key="k", base_url=provider.anthropic_url, open_telemetry=None if native else False)


async def every_call(cell: Cell, name: str, provider: FakeProvider, native: bool) -> dict[str, Any]:
    """What each kind of call makes, by sync or async and the call's name."""
    found = {}
    for kind in KINDS:
        client = client_of(name, kind, provider, native)
        for call, make in CALLS[name]().items():
            said = None
            with task("matrix", id=call, segment="eu"):
                try:
                    await make(client, kind)
                except Exception as error:  # noqa: BLE001  a peer may break a call: that is a result
                    said = f"{type(error).__name__}: {error}"
            found[f"{kind} {call}"] = {"error": said, **cell.look()}
    return found


def all_calls(cell: Cell, name: str, provider: FakeProvider) -> dict[str, Any]:
    """The same with the client's own tracing off and, where it has one, on."""
    return {
        tracing: asyncio.run(every_call(cell, name, provider, tracing == "native"))
        for tracing in (("off", "native") if name == "anthropic" else ("off",))
    }


def install(client: str, who: str) -> None:
    module, _, name = INSTRUMENTORS[client, who].partition(":")
    getattr(import_module(module), name)().instrument()


def main() -> None:
    asked = json.loads(sys.argv[1])
    logging.disable()  # of peers that report what they do not support
    cell, steps = Cell(), []
    with FakeProvider() as provider:
        provider.alias("gpt-x", "gpt-x-2026-03-01")
        provider.alias("claude-x", "claude-x-20260301")
        provider.answer(lambda call: Answer(id=next(IDS)))
        for who in asked["install"]:
            install(asked["client"], who)
            steps.append(all_calls(cell, asked["client"], provider))
    print(json.dumps(steps))


if __name__ == "__main__":
    main()
