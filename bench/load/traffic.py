"""Traffic for a collector: requests of real spans, encoded once, of an application with and without LLM features."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Tracer

from otel_agentops.semconv import attributes as A

SPANS = 500  # in a request
_TASK = 5  # spans of one task: root, two model calls, a tool, a retrieval


class Traffic(NamedTuple):
    """Encoded requests that are sent again and again, and what one round of them holds."""

    requests: list[bytes]
    spans: int
    genai: int
    calls: int


def make(genai: float, hashes: int, requests: int = 40, seed: int = 1) -> Traffic:
    """Make traffic of which a part is GenAI spans, with so many distinct prompt hashes spread over them."""
    dice = random.Random(seed)
    finished = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({A.SERVICE_NAME: "shop", A.SERVICE_VERSION: "1.4.2", A.DEPLOYMENT_ENVIRONMENT_NAME: "load"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer("load")
    encoded, number = [], iter(range(10**9))
    tasks = max(1, round(SPANS * genai / _TASK))
    for _ in range(requests):
        finished.clear()
        for _ in range(tasks):
            _task(tracer, dice, next(number) % hashes)
        for _ in range(SPANS - tasks * _TASK):
            _plain(tracer, dice)
        encoded.append(encode_spans(finished.get_finished_spans()).SerializeToString())
    return Traffic(encoded, requests * SPANS, requests * tasks * _TASK, requests * tasks * 2)


def _task(tracer: Tracer, dice: random.Random, number: int) -> None:
    facts = {A.TASK_ID: f"{dice.getrandbits(128):032x}", A.TASK_NAME: "support", A.TRAFFIC_SEGMENT: "web"}
    with tracer.start_as_current_span("invoke_workflow support", attributes={**facts, **_root(dice, number)}):
        tracer.start_span("retrieval help", attributes={**facts, **_RETRIEVAL}).end()
        for _ in range(2):
            attributes = {**facts, **_call(dice, number)}
            tracer.start_span("chat gpt-5.5", kind=SpanKind.CLIENT, attributes=attributes).end()
        tracer.start_span("execute_tool refund", attributes={**facts, **_TOOL}).end()


_RETRIEVAL: dict[str, Any] = {
    A.GEN_AI_OPERATION_NAME: "retrieval",
    A.INDEX_NAME: "help-pages",
    A.INDEX_VERSION: "2026-11-01",
    A.INDEX_SOURCE: "declared",
    A.RETRIEVAL_DOCUMENT_COUNT: 4,
}
_TOOL: dict[str, Any] = {
    A.GEN_AI_OPERATION_NAME: "execute_tool",
    A.GEN_AI_TOOL_NAME: "refund",
    A.TOOL_HASH: "c4a1d0f2b7e93856",
}


def _root(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        A.GEN_AI_OPERATION_NAME: "invoke_workflow",
        A.TASK_OUTCOME: "completed" if dice.random() < 0.95 else "failed",
        A.TASK_LLM_CALLS: 2,
        A.TASK_LLM_ATTEMPTS: 2,
        A.TASK_TOOL_CALLS: 1,
        A.TASK_TOOL_FAILURES: 0,
        A.TASK_AGENTS: 0,
        A.TASK_DEPTH: 0,
        A.TASK_INPUT_TOKENS: dice.randrange(800, 4000),
        A.TASK_OUTPUT_TOKENS: dice.randrange(50, 900),
        A.TASK_VALUES: [
            "model/gpt-5.5=gpt-5.5-2026-03-05",
            f"prompt/support/unknown={number:016x}",
            "tools/support=3fdba35f04dc8c46",
            "tool/refund=c4a1d0f2b7e93856",
            "index/help-pages=2026-11-01",
        ],
    }


def _call(dice: random.Random, number: int) -> dict[str, Any]:
    """Make a span with about the attributes of our chat span."""
    return {
        A.GEN_AI_OPERATION_NAME: "chat",
        A.GEN_AI_PROVIDER_NAME: "openai",
        A.GEN_AI_REQUEST_MODEL: "gpt-5.5",
        A.GEN_AI_RESPONSE_MODEL: "gpt-5.5-2026-03-05",
        A.GEN_AI_RESPONSE_ID: f"chatcmpl-{dice.getrandbits(64):016x}",
        A.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
        A.GEN_AI_USAGE_INPUT_TOKENS: dice.randrange(400, 2000),
        A.GEN_AI_USAGE_OUTPUT_TOKENS: dice.randrange(20, 400),
        A.GEN_AI_REQUEST_TEMPERATURE: 0.2,
        A.MODEL_RESOLUTION: "resolved",
        A.PROMPT_HASH: f"{number:016x}",
        A.PROMPT_SOURCE: "instructions",
        A.TOOLS_HASH: "3fdba35f04dc8c46",
        A.TOOLS_VERSIONS: ["refund@c4a1d0f2b7e93856", "lookup@0be5a91c77d3f420"],
        A.PARAMS_HASH: "b5d4045c3f466fa9",
        A.ATTEMPT_COUNT: 1,
        A.ATTEMPT_STATUSES: [200],
        A.SERVER_ADDRESS: "api.openai.com",
        A.SERVER_PORT: 443,
    }


def _plain(tracer: Tracer, dice: random.Random) -> None:
    """Make a span of a web server or a database client."""
    attributes = {
        "http.request.method": "GET",
        "url.path": f"/orders/{dice.randrange(100_000)}",
        "http.route": "/orders/{id}",
        "http.response.status_code": 200,
        "server.address": "shop.internal",
        "server.port": 8080,
        "network.protocol.version": "1.1",
        "user_agent.original": "Mozilla/5.0",
    }
    tracer.start_span("GET /orders/{id}", kind=SpanKind.SERVER, attributes=attributes).end()


def rounds(traffic: Traffic, spans: int) -> Iterator[bytes]:
    """Return whole rounds of the requests with at least so many spans."""
    for _ in range(-(-spans // traffic.spans)):
        yield from traffic.requests
