"""Spans in the words of OpenInference and OpenLLMetry are counted in those of the conventions; stored ones stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from overlay_signals import QUICK, Attributes, Sender, Span, counters, errors, histograms, series, wait_until_settled

import stack
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.testing.fake_provider import FakeProvider

pytestmark = pytest.mark.collector

# Writes down what the user's own pipeline gets.
STORING = """\
exporters: {{file/stored: {{path: {path}, flush_interval: 100ms}}}}
service: {{pipelines: {{traces/stored: {{receivers: [otlp], exporters: [file/stored]}}}}}}
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects") / "stored.json"


@pytest.fixture(scope="module")
def running(otelcol: Path, stored: Path) -> Iterator[stack.Collector]:
    (stored.parent / "storing.yaml").write_text(STORING.format(path=stored))
    configs = [stack.BASE, stack.OVERLAY, stored.parent / "storing.yaml", *QUICK]
    with stack.collector(configs, stored.parent, {"OTEL_AGENTOPS_FLUSH": "200ms"}) as collector:
        yield collector
        assert errors(collector) == []


@pytest.fixture(scope="module")
def sender(running: stack.Collector) -> Sender:
    return Sender(running.otlp)


class Dialect(NamedTuple):
    """One span as another instrumentation writes it.

    Attributes:
        theirs: Its attributes.
        operation: What it is counted as; None if it is not counted.
        calls: Labels of the model call that is counted for it.
        tool: The tool whose execution is counted.
        answered: The model asked for and the model that answered, if an observation is counted.
        name, scope: Of the span, and of its instrumentation.
    """

    theirs: Attributes
    operation: str | None
    calls: dict[str, str] | None = None
    tool: str | None = None
    answered: tuple[str, str] | None = None
    name: str = "span"
    scope: str = "theirs"


KIND, TRACELOOP = "openinference.span.kind", "traceloop.span.kind"
M1 = {A.GEN_AI_PROVIDER_NAME: "openai", A.GEN_AI_REQUEST_MODEL: "m"}
LLAMA_INDEX = "openinference.instrumentation.llama_index"
MODEL = {"llm.model_name": "m", "llm.provider": "openai"}
PARAMETERS = json.dumps({"temperature": 0.2, "model": "m"})

DIALECTS = {
    "mcp-server": Dialect(
        {
            A.GEN_AI_OPERATION_NAME: "execute_tool",
            A.GEN_AI_TOOL_NAME: "served",
            A.TOOL_COUNTED_ELSEWHERE: True,
        },
        None,
    ),
    "openinference-llm": Dialect(
        {KIND: "LLM", "llm.model_name": "m-1", "llm.invocation_parameters": PARAMETERS, "llm.provider": "openai"},
        "chat",
        M1,
        answered=("m", "m-1"),
    ),
    "openinference-llm-new": Dialect(
        {KIND: "LLM", "llm.model_name": "m-1", "llm.request.model_name": "m", "llm.system": "openai"},
        "chat",
        M1,
        answered=("m", "m-1"),
    ),
    "openinference-llm-bad-parameters": Dialect(
        {KIND: "LLM", "llm.model_name": "m", "llm.invocation_parameters": "{no JSON", "llm.provider": "openai"},
        "chat",
        M1,
        answered=("m", "m"),
    ),
    # The kind of a method of LlamaIndex is that of its object, also if another method does it.
    **{
        f"openinference-{method}": Dialect({KIND: kind, **MODEL}, None, name=f"OpenAI.{method}", scope=LLAMA_INDEX)
        for kind, method in (
            *(
                ("LLM", name)
                for name in ("_prepare_chat_with_tools", "predict", "astream", "stream_structured_predict")
            ),
            *(("EMBEDDING", name) for name in ("get_query_embedding", "aget_text_embedding_batch")),
            *(("RETRIEVER", name) for name in ("_retrieve", "_aretrieve")),
        )
    },
    "openinference-retrieve": Dialect(
        {KIND: "RETRIEVER"}, "retrieval", name="VectorIndexRetriever.retrieve", scope=LLAMA_INDEX
    ),
    "openinference-embed": Dialect(
        {KIND: "EMBEDDING", "embedding.model_name": "m", "llm.provider": "openai"},
        "embeddings",
        M1,
        name="OpenAIEmbedding._get_query_embedding",
        scope=LLAMA_INDEX,
    ),
    **{
        f"openinference-{scope}-{method}": Dialect(
            {KIND: "LLM", **MODEL}, "chat", M1, answered=("m", "m"), name=f"OpenAI.{method}", scope=scope
        )
        for scope, method in ((LLAMA_INDEX, "achat"), (LLAMA_INDEX, "stream_chat"), ("mine", "predict"))
    },
    "openinference-embedding": Dialect(
        {KIND: "EMBEDDING", "embedding.model_name": "m", "llm.provider": "openai"}, "embeddings", M1
    ),
    "openinference-tool": Dialect({KIND: "TOOL", "tool.name": "lookup"}, "execute_tool", tool="lookup"),
    "openinference-retriever": Dialect({KIND: "RETRIEVER"}, "retrieval"),
    "openinference-reranker": Dialect({KIND: "RERANKER"}, "retrieval"),
    "openinference-agent": Dialect({KIND: "AGENT", "agent.name": "a"}, "invoke_agent"),
    "openinference-chain": Dialect({KIND: "CHAIN"}, None),
    "openinference-enriched": Dialect(
        {KIND: "LLM", A.GEN_AI_OPERATION_NAME: "text_completion", "llm.model_name": "other", "llm.provider": "x", **M1},
        "text_completion",
        M1,
        answered=("m", "other"),
    ),
    "wrong-model": Dialect(
        {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_RESPONSE_MODEL: "m", A.MODEL_SERVED: "m-1", **M1},
        "chat",
        M1,
        answered=("m", "m-1"),
    ),
    "openllmetry-chat": Dialect(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "openai",
            A.GEN_AI_REQUEST_MODEL: "m",
            A.GEN_AI_RESPONSE_MODEL: "m-1",
            "gen_ai.usage.prompt_tokens": 7,
        },
        "chat",
        M1,
        answered=("m", "m-1"),
    ),
    "openllmetry-completion": Dialect(
        {"llm.request.type": "completion", "gen_ai.system": "openai", A.GEN_AI_REQUEST_MODEL: "m"},
        "text_completion",
        M1,
    ),
    "openllmetry-embedding": Dialect(
        {"llm.request.type": "embedding", "gen_ai.system": "openai", A.GEN_AI_REQUEST_MODEL: "m"}, "embeddings", M1
    ),
    "openllmetry-tool": Dialect({TRACELOOP: "tool", "traceloop.entity.name": "look"}, "execute_tool", tool="look"),
    "openllmetry-agent": Dialect({TRACELOOP: "agent", "traceloop.entity.name": "a"}, "invoke_agent"),
    "openllmetry-workflow": Dialect({TRACELOOP: "workflow", "traceloop.entity.name": "w"}, "invoke_workflow"),
    "openllmetry-task": Dialect({TRACELOOP: "task", "traceloop.entity.name": "t"}, None),
    "openllmetry-retrieval": Dialect(
        {TRACELOOP: "task", A.GEN_AI_OPERATION_NAME: "vector_db_retrieve", A.GEN_AI_PROVIDER_NAME: "langchain"},
        "retrieval",
    ),
}


def expected_counts(dialect: Dialect) -> dict[str, float]:
    """Return the counters of one span."""
    expected: dict[str, float] = {}
    if dialect.calls is not None and dialect.operation is not None:
        labels = {A.GEN_AI_OPERATION_NAME: dialect.operation, A.TASK_NAME: "unknown", **dialect.calls}
        expected[series(M.LLM_CALLS, labels)] = 1
        pair = {A.SLI_NAME: "call_success", A.SLI_TYPE: "direct", A.GEN_AI_REQUEST_MODEL: "m"}
        expected |= {series(M.SLI_EVENTS, pair): 1, series(M.SLI_BAD, pair): 0}
    if dialect.tool is not None:
        pair = {A.SLI_NAME: "tool_success", A.SLI_TYPE: "direct", A.GEN_AI_TOOL_NAME: dialect.tool}
        expected |= {series(M.SLI_EVENTS, pair): 1, series(M.SLI_BAD, pair): 0}
    if dialect.answered is not None:
        requested, answered = dialect.answered
        models = {A.GEN_AI_REQUEST_MODEL: requested, A.GEN_AI_RESPONSE_MODEL: answered}
        expected[series(M.MODEL_OBSERVATIONS, models)] = 1
    return expected


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_counted_as_the_convention(running: stack.Collector, sender: Sender, name: str) -> None:
    dialect = DIALECTS[name]
    sender.spans(name, Span(dialect.name, dialect.theirs, scope=dialect.scope))
    samples = wait_until_settled(running, sender)
    assert counters(samples, name) == expected_counts(dialect)
    operations = [sample for sample in samples if sample.labels.get("service_name") == name]
    timed = {one.labels["gen_ai_operation_name"] for one in operations if one.name.endswith("seconds_count")}
    assert timed == ({dialect.operation} if dialect.operation else set())


def test_stored_spans_keep_their_own_words(running: stack.Collector, sender: Sender, stored: Path) -> None:
    theirs = {KIND: "TOOL", "tool.name": "lookup"}
    sender.spans("stored", Span("mine", theirs))
    wait_until_settled(running, sender)
    resources = [each for line in stored.read_text().splitlines() for each in json.loads(line)["resourceSpans"]]
    spans = [span for each in resources for scope in each["scopeSpans"] for span in scope["spans"]]
    (mine,) = [span for span in spans if span["name"] == "mine"]
    assert {one["key"]: one["value"]["stringValue"] for one in mine["attributes"]} == theirs


def test_calls_of_the_real_openinference_are_counted(running: stack.Collector, sender: Sender) -> None:
    provider = TracerProvider(resource=Resource({A.SERVICE_NAME: "real"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{running.otlp}/v1/traces")))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with FakeProvider() as fake, openai.OpenAI(api_key="k", base_url=f"{fake.url}/v1") as client:
            answer = client.chat.completions.create(model="gpt-5.5", messages=[{"role": "user", "content": "hi"}])
    finally:
        instrumentor.uninstrument()
    found = counters(wait_until_settled(running, sender), "real")
    models = {A.GEN_AI_REQUEST_MODEL: "gpt-5.5", A.GEN_AI_RESPONSE_MODEL: answer.model}
    assert {name: value for name, value in found.items() if "observations" in name} == {
        series(M.MODEL_OBSERVATIONS, models): 1
    }
    assert histograms(wait_until_settled(running, sender), "real")
