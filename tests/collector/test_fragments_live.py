"""Fragments in a running collector: which traces are kept, which counters arrive, what is taken off."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import overlay_sink
import overlay_stored
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from overlay_signals import QUICK, Attributes, Event, Sender, Span, counters, errors, value_counters, wait_until_settled

import stack
from otel_agentops.collector import shipped, tags
from otel_agentops.collector.document import Document
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

pytestmark = pytest.mark.collector

STORED = Path(__file__).parent / "configs" / "stored.yaml"
CHAT = {A.GEN_AI_OPERATION_NAME: "chat"}
TOOL = {A.GEN_AI_OPERATION_NAME: "execute_tool"}
# Decisions in seconds and not in minutes; what is decided is the same.
SOON = ["yaml:processors::tail_sampling/otel_agentops::decision_wait_after_root_received: 1s"]
WAIT = {"OTEL_AGENTOPS_DECISION_WAIT": "3s"}


def fragment(name: str) -> Path:
    return shipped.find_fragment(name)


def merge_files(directory: Path, *fragments: str) -> list[Path]:
    """Write the user's config as `collector merge` edits it; return it, the overlay and the fragments."""
    loose = [shipped.read_config(fragment(name)) for name in fragments]
    mine = tags.add_tags(
        Document.read_file(STORED), tags.list_tag_processors(shipped.read_config(stack.OVERLAY), loose)
    )
    (directory / "mine.yaml").write_text(mine.text)
    return [directory / "mine.yaml", stack.OVERLAY, *map(fragment, fragments)]


class Seeded(IdGenerator):
    """Ids that are the same in every run: a sampler decides by them."""

    def __init__(self) -> None:
        self._pick = random.Random(11)

    def generate_trace_id(self) -> int:
        return self._pick.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        return self._pick.getrandbits(64) or 1


class Traces:
    """Sends traces of several spans, the children of a trace first and its root in a later request."""

    def __init__(self, otlp: str) -> None:
        self._exporter = OTLPSpanExporter(f"{otlp}/v1/traces", timeout=10)
        self._finished = InMemorySpanExporter()
        provider = TracerProvider(
            resource=Resource({A.SERVICE_NAME: "svc"}), shutdown_on_exit=False, id_generator=Seeded()
        )
        provider.add_span_processor(SimpleSpanProcessor(self._finished))
        self._tracer = provider.get_tracer(__name__)

    def start_trace(
        self, name: str, root: Attributes, children: Sequence[Attributes], seconds: float = 0.2
    ) -> list[ReadableSpan]:
        end = time.time_ns()
        parent = self._tracer.start_span(name, attributes=_set(root), start_time=end - int(seconds * 1e9))
        below = trace.set_span_in_context(parent)
        for one in children:
            self._tracer.start_span(name, below, attributes=_set(one), start_time=end - 1000).end(end)
        parent.end(end)
        spans = list(self._finished.get_finished_spans())
        self._finished.clear()
        return spans

    def late(self, name: str, of: ReadableSpan, attributes: Attributes) -> list[ReadableSpan]:
        below = trace.set_span_in_context(trace.NonRecordingSpan(of.get_span_context()))
        self._tracer.start_span(name, below, attributes=_set(attributes)).end()
        spans = list(self._finished.get_finished_spans())
        self._finished.clear()
        return spans

    def send(self, spans: Sequence[ReadableSpan]) -> None:
        assert self._exporter.export(spans) is SpanExportResult.SUCCESS


def _set(attributes: Attributes) -> dict[str, Any]:
    return dict(attributes)


def names(directory: Path) -> dict[str, int]:
    """How many spans of each name are stored."""
    path = directory / "traces.jsonl"
    found: dict[str, int] = {}
    for record in overlay_stored.spans(directory, 0) if path.exists() else ():
        found[record.name] = found.get(record.name, 0) + 1
    return found


def until(directory: Path, name: str) -> dict[str, int]:
    end = time.monotonic() + 30
    while name not in (found := names(directory)):
        assert time.monotonic() < end, f"{name} is not stored: {found}"
        time.sleep(0.1)
    return found


def at_rest(directory: Path, name: str) -> dict[str, int]:
    """The same once nothing more comes: traces that arrived together are decided in several ticks."""
    found = until(directory, name)
    while True:
        time.sleep(2)
        if found == (found := names(directory)):
            return found


# -- tail-sampling

# name -> root, children, seconds; `keep` traces are kept whole, the others leave nothing
TRACES: dict[str, tuple[Attributes, Sequence[Attributes], float]] = {
    "keep failed tool": (CHAT, [TOOL, {**TOOL, A.ERROR_TYPE: "TimeoutError"}, CHAT], 0.2),
    "keep rate limit": ({**CHAT, A.ERROR_TYPE: "429"}, [], 0.2),
    "keep failed task": ({A.TASK_OUTCOME: "failed"}, [CHAT], 0.2),
    "keep unlisted": (CHAT, [{**CHAT, A.LOCK_UNLISTED: ["prompt"]}], 0.2),
    "keep long": (CHAT, [CHAT], 61.0),
    "keep many steps": (CHAT, [CHAT] * 49, 0.2),
    "drop fine": (CHAT, [TOOL, CHAT], 0.2),
    "drop completed task": ({A.TASK_OUTCOME: "completed"}, [CHAT], 0.2),
    "drop not so long": (CHAT, [CHAT], 59.0),
    "drop not so many": (CHAT, [CHAT] * 48, 0.2),
    "drop failed http": ({"http.response.status_code": 500, A.ERROR_TYPE: "500"}, [], 0.2),
    "drop text that looks like a verdict": (
        {
            **CHAT,
            A.GEN_AI_INPUT_MESSAGES: '{"otel_agentops.sli.task_completed.bad":1}',
            "x": '"otel_agentops.sli.a.bad":1',
        },
        [],
        0.2,
    ),
}


def test_tail_sampling_keeps_incidents_and_long_traces_whole(otelcol: Path, tmp_path: Path) -> None:
    configs = [*merge_files(tmp_path, "tail-sampling"), *SOON]
    variables = {**WAIT, "OTEL_AGENTOPS_SAMPLE_PERCENT": "0", "STORED": str(tmp_path)}
    with stack.collector(configs, tmp_path, variables) as running:
        sender = Traces(running.otlp)
        spans = {name: sender.start_trace(name, *what) for name, what in TRACES.items()}
        sender.send([span for made in spans.values() for span in made[:-1]])
        sender.send([made[-1] for made in spans.values()])  # roots
        sender.send(sender.start_trace("keep marker", {**CHAT, A.ERROR_TYPE: "429"}, []))
        until(tmp_path, "keep marker")
        # What comes after the decision follows it, an incident, too.
        sender.send(sender.late("keep late", spans["keep failed tool"][-1], CHAT))
        sender.send(sender.late("drop late", spans["drop fine"][-1], CHAT))
        sender.send(sender.late("drop late incident", spans["drop completed task"][-1], {**TOOL, A.ERROR_TYPE: "x"}))
        sender.send(sender.start_trace("keep last", {**CHAT, A.ERROR_TYPE: "429"}, []))
        store_signals = at_rest(tmp_path, "keep last")
        assert errors(running) == []
        counted = counters(wait_until_settled(running, Sender(running.otlp)), "svc")
    kept = {name: len(made) for name, made in spans.items() if name.startswith("keep")}
    assert store_signals == {**kept, "keep marker": 1, "keep late": 1, "keep last": 1}
    events = M.METRICS[M.SLI_EVENTS].prometheus
    assert (
        sum(value for series, value in counted.items() if series.startswith(events) and "task_completed" in series) == 2
    )


def test_tail_sampling_share_is_equal_in_every_collector(otelcol: Path, tmp_path: Path) -> None:
    kept = []
    for name in "ab":
        directory = tmp_path / name
        directory.mkdir()
        variables = {**WAIT, "OTEL_AGENTOPS_SAMPLE_PERCENT": "25", "STORED": str(directory)}
        with stack.collector([*merge_files(directory, "tail-sampling"), *SOON], directory, variables) as running:
            sender = Traces(running.otlp)
            sender.send([span for n in range(400) for span in sender.start_trace(f"{n}", CHAT, [CHAT])])
            sender.send(sender.start_trace("marker", {**CHAT, A.ERROR_TYPE: "429"}, []))
            kept.append(at_rest(directory, "marker"))
    assert kept[0] == kept[1]
    assert set(kept[0].values()) == {1, 2}, "whole traces, and the marker"
    assert 70 <= len(kept[0]) - 1 <= 130  # 100 +- 3.5 standard deviations; the ids are seeded


# -- honeycomb


def test_honeycomb_gets_spans_events_counters_and_sample_rate(otelcol: Path, tmp_path: Path) -> None:
    gate = ["--feature-gates=processor.tailsamplingprocessor.recordpolicy"]
    fragments = [fragment(name) for name in ("honeycomb", "tail-sampling", "honeycomb-sampled")]
    with overlay_sink.sink() as store:
        variables = {
            **WAIT,
            "OTEL_AGENTOPS_SAMPLE_PERCENT": "50",
            "HONEYCOMB_API_ENDPOINT": store.url,
            "HONEYCOMB_API_KEY": "key",
        }
        with stack.collector(
            [stack.BASE, stack.OVERLAY, *fragments, *SOON, *QUICK], tmp_path, variables, flags=gate
        ) as running:
            sender = Traces(running.otlp)
            sender.send([span for n in range(40) for span in sender.start_trace(f"rest {n}", CHAT, [CHAT])])
            sender.send(sender.start_trace("incident", {**CHAT, A.ERROR_TYPE: "429"}, [CHAT]))
            Sender(running.otlp).events("svc", Event({A.JUDGE_THRESHOLD: 0.5, A.GEN_AI_EVALUATION_SCORE_VALUE: 0.4}))
            store.wait_for(lambda: len({one.signal for one in store.requests}) == 3 and "incident" in _spans(store))
            assert errors(running) == []
    found = _spans(store)
    assert {name: span.get("SampleRate") for name, span in found.items() if not name.startswith("rest")} == {
        "incident": None
    }
    rest = [span for name, span in found.items() if name.startswith("rest")]
    assert 8 <= len(rest) <= 32
    assert {span["SampleRate"] for span in rest} == {"2"}
    assert found["incident"][A.INCIDENT_SURFACE] == "model"
    (event,) = [overlay_sink.attributes(one) for request in store.of("logs") for _, one in overlay_sink.leaves(request)]
    assert event[A.SLI_JUDGE_SCORE_BAD] == "1"
    assert {request.headers["x-honeycomb-team"] for request in store.requests} == {"key"}
    assert {(one.signal, one.headers.get("x-honeycomb-dataset")) for one in store.requests} == {
        ("traces", None),
        ("logs", None),
        ("metrics", "otel-agentops"),
    }
    metrics = {metric["name"] for request in store.of("metrics") for _, metric in overlay_sink.leaves(request)}
    assert {M.LLM_CALLS, M.SLI_EVENTS, M.SLI_BAD} <= metrics


def _spans(store: overlay_sink.Sink) -> dict[str, dict[str, Any]]:
    found = (one for request in store.of("traces") for _, one in overlay_sink.leaves(request))
    return {span["name"]: overlay_sink.attributes(span) for span in found if "parentSpanId" not in span}


# -- push


SENT = [
    *(Span("chat", {**CHAT, A.GEN_AI_REQUEST_MODEL: "m", A.GEN_AI_RESPONSE_MODEL: f"m-{n % 3}"}) for n in range(30)),
    *(Span("tool", {**TOOL, A.GEN_AI_TOOL_NAME: "t", **({A.ERROR_TYPE: "x"} if n % 4 else {})}) for n in range(12)),
    *(Span("task", {A.TASK_OUTCOME: "failed" if n % 5 else "completed", A.TASK_INPUT_TOKENS: 100}) for n in range(10)),
]


@pytest.fixture(scope="module")
def pulled_counters(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, float]:
    """The counters of SENT as a scrape shows them."""
    with stack.collector([stack.BASE, stack.OVERLAY, *QUICK], tmp_path_factory.mktemp("pulled")) as running:
        _send(running)
        samples = wait_until_settled(running, Sender(running.otlp))
        return {**counters(samples, "svc"), **value_counters(samples, "svc")}


def _send(running: stack.Collector) -> None:
    """In three requests, so that a counter has to grow."""
    sender = Sender(running.otlp)
    for n in range(3):
        sender.spans("svc", *SENT[n::3], deployment_environment_name="prod")


def test_remote_write_brings_the_counters_that_a_scrape_shows(
    otelcol: Path, prometheus: Path, pulled_counters: Mapping[str, float], tmp_path: Path
) -> None:
    flags = ["--web.enable-remote-write-receiver"]
    with stack.prometheus([], [], tmp_path, flags=flags) as store:
        _check_push(store, "push-prometheus-remote-write", "REMOTE_WRITE", "/api/v1/write", pulled_counters, tmp_path)


def test_otlp_brings_the_counters_that_a_scrape_shows(
    otelcol: Path, prometheus: Path, pulled_counters: Mapping[str, float], tmp_path: Path
) -> None:
    flag = "--web.enable-otlp-receiver"
    told = subprocess.run([prometheus, "--help-long"], capture_output=True, text=True, check=False)
    if flag not in told.stdout + told.stderr:
        pytest.skip(f"{prometheus} has no {flag} (Prometheus 3); what would be sent to it is the next test")
    with stack.prometheus([], [], tmp_path, flags=[flag]) as store:
        _check_push(store, "push-prometheus", "PROMETHEUS", "", pulled_counters, tmp_path)


def _check_push(
    store: stack.Prometheus, name: str, variable: str, path: str, pulled_counters: Mapping[str, float], directory: Path
) -> None:
    """Counters, labels and instance in Prometheus after a push are those of the scrape."""
    variables = {f"OTEL_AGENTOPS_{variable}_URL": store.url + path, "OTEL_AGENTOPS_INSTANCE": "one"}
    soon = "yaml:processors::batch/otel_agentops_push::timeout: 200ms"
    with stack.collector([stack.BASE, stack.OVERLAY, fragment(name), *QUICK, soon], directory, variables) as running:
        _send(running)
        end = time.monotonic() + 20
        while (found := _counters(store)) != pulled_counters and time.monotonic() < end:
            time.sleep(0.1)
        assert errors(running) == []
    assert found == pulled_counters
    labels = {(one["job"], one["instance"]) for one, _ in store.query('{service_name="svc"}')}
    assert labels == {("otel-agentops", "one")}
    assert store.query("target_info") == []


def _counters(store: stack.Prometheus) -> dict[str, float]:
    hidden = {"__name__", "job", "instance", "service_name", "deployment_environment_name"}
    found = {}
    for labels, value in store.query('{service_name="svc", deployment_environment_name="prod", __name__=~".+_total"}'):
        pairs = ", ".join(f"{key}={labels[key]!r}" for key in sorted(set(labels) - hidden))
        found[f"{labels['__name__']}{{{pairs}}}"] = value
    return found


def test_otlp_push_is_cumulative_and_names_its_instance(
    otelcol: Path, pulled_counters: Mapping[str, float], tmp_path: Path
) -> None:
    with overlay_sink.sink() as store:
        variables = {"OTEL_AGENTOPS_PROMETHEUS_URL": store.url, "OTEL_AGENTOPS_INSTANCE": "one"}
        soon = "yaml:processors::batch/otel_agentops_push::timeout: 200ms"
        configs = [stack.BASE, stack.OVERLAY, fragment("push-prometheus"), *QUICK, soon]
        with stack.collector(configs, tmp_path, variables) as running:
            _send(running)
            store.wait_for(lambda: _last(store) == pulled_counters)
            assert errors(running) == []
    assert {(request.path, request.headers["content-type"]) for request in store.requests} == {
        ("/api/v1/otlp/v1/metrics", "application/x-protobuf")
    }
    identity = {A.SERVICE_NAME: "otel-agentops", "service.instance.id": "one"}
    assert all(
        overlay_sink.attributes(one) == identity
        for request in store.requests
        for one, _ in overlay_sink.leaves(request)
    )


def _last(store: overlay_sink.Sink) -> dict[str, float]:
    """Each counter's last value, under the name that Prometheus gives it."""
    found: dict[str, float] = {}
    hidden = {A.SERVICE_NAME, A.DEPLOYMENT_ENVIRONMENT_NAME}
    for request in store.requests:
        for _, metric in overlay_sink.leaves(request):
            for point in metric.get("sum", {}).get("dataPoints", ()):
                assert metric["sum"]["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_CUMULATIVE"
                labels = {k.replace(".", "_"): v for k, v in overlay_sink.attributes(point).items() if k not in hidden}
                pairs = ", ".join(f"{key}={labels[key]!r}" for key in sorted(labels))
                found[f"{M.METRICS[metric['name']].prometheus}{{{pairs}}}"] = float(
                    point.get("asInt", point.get("asDouble", 0))
                )
    return found


# -- content

SAID = "mail ann@example.org, card 4111 1111 1111 1111, key sk-abcdefghijklmnopqrst, order 17"
CONTENT = {
    A.GEN_AI_INPUT_MESSAGES: json.dumps([{"role": "user", "parts": [{"type": "text", "content": SAID}]}]),
    A.GEN_AI_OUTPUT_MESSAGES: "out",
    A.GEN_AI_SYSTEM_INSTRUCTIONS: "system",
    A.GEN_AI_TOOL_CALL_ARGUMENTS: "{}",
    A.GEN_AI_TOOL_CALL_RESULT: "result",
}
OTHERS = {
    "gen_ai.prompt.0.content": "x",
    "gen_ai.completion.0.content": "x",
    "traceloop.entity.input": "x",
    "input.value": "x",
    "llm.input_messages.0.message.content": "x",
    "retrieval.documents.0.document.content": "x",
}
STAYS = {**CHAT, A.GEN_AI_REQUEST_MODEL: "m", A.PROMPT_HASH: "aa01", "gen_ai.prompt.name": "p", "http.route": "/x"}
TAGGED = {**STAYS, A.SLI_CALL_SUCCESS_BAD: 0}  # as the overlay tags a call that went well


def store_signals(otelcol: Path, directory: Path, name: str) -> list[dict[str, Any]]:
    """Attributes of two spans and an event as they are stored: with content, without, an evaluation's explanation."""
    with stack.collector(merge_files(directory, name), directory, {"STORED": str(directory)}) as running:
        sender = Sender(running.otlp)
        sender.spans("svc", Span("with", {**STAYS, **CONTENT, **OTHERS}), Span("without", STAYS))
        sender.events("svc", Event({"gen_ai.evaluation.explanation": SAID, A.GEN_AI_EVALUATION_SCORE_VALUE: 1}))
        spans = overlay_stored.spans(directory, 2)
        events = overlay_stored.logs(directory, 1)
        assert errors(running) == []
    return [one.attributes for one in (*spans, *events)]


def test_content_fragment_removes_content_alone(otelcol: Path, tmp_path: Path) -> None:
    with_content, without, event = store_signals(otelcol, tmp_path, "content")
    assert with_content == {**TAGGED, A.CONTENT_STATE: "omitted"}
    assert without == TAGGED
    assert event == {A.GEN_AI_EVALUATION_SCORE_VALUE: 1, A.CONTENT_STATE: "omitted"}


def test_redact_fragment_redacts_within_content(otelcol: Path, tmp_path: Path) -> None:
    with_content, without, event = store_signals(otelcol, tmp_path, "content-redact")
    redacted = "mail [mail], card [number], key [secret], order 17"
    assert with_content == {
        **TAGGED,
        **CONTENT,
        **OTHERS,
        A.GEN_AI_INPUT_MESSAGES: CONTENT[A.GEN_AI_INPUT_MESSAGES].replace(SAID, redacted),
    }
    assert without == TAGGED
    assert event["gen_ai.evaluation.explanation"] == redacted


# -- guard


REFUSED = r'^otelcol_deltatocumulative_datapoints\S*error="limit"\S* (\d+)'


def test_guard_counts_ids_as_other_and_limits_new_values(otelcol: Path, tmp_path: Path) -> None:
    sure = ["checkout", "answer a question", "gpt/4", "step 12345"]
    ids = ["3f2b8c1d-aaaa-bbbb-cccc-1234567890ab", "task-1234567", "0123456789abcdef", "x" * 65]
    variables = {"OTEL_AGENTOPS_MAX_VARIABLE_SERIES": "20"}
    configs = [stack.BASE, stack.OVERLAY, fragment("guard"), *QUICK]
    with stack.collector(configs, tmp_path, variables) as running:
        sender = Sender(running.otlp)
        sender.spans("svc", *(Span("task", {A.TASK_NAME: name, A.TASK_OUTCOME: "failed"}) for name in [*sure, *ids]))
        sender.spans("svc", *(Span("chat", {**CHAT, A.PROMPT_HASH: f"{n:04x}"}) for n in range(50)))
        sender.spans("svc", Span("chat", {**CHAT, A.GEN_AI_REQUEST_MODEL: "gpt-4o-2024-08-06-20240806"}))
        end = time.monotonic() + 20
        found: dict[str, float] = {}
        refused: list[str] = []
        while (
            sum(_of(found, M.LLM_CALLS).values()) < 51
            or sum(_of(found, M.SLI_BAD).values()) < 8
            or len(_of(found, M.PROMPT_OBSERVATIONS)) < 20
            or refused != ["30"]
        ):
            assert time.monotonic() < end, (found, refused)
            time.sleep(0.1)
            found, internal = counters(running.scrape(), "svc"), httpx.get(running.internal).text
            refused = re.findall(REFUSED, internal, re.MULTILINE)
        assert errors(running) == []
    by_task = {series: value for series, value in _of(found, M.SLI_BAD).items() if "task_name='" in series}
    tasks = {re.findall(r"task_name='([^']*)'", series)[0]: value for series, value in by_task.items()}
    assert tasks == {**dict.fromkeys(sure, 1.0), "other": 4.0}
    assert len(_of(found, M.PROMPT_OBSERVATIONS)) == 20
    assert any("gpt-4o-2024-08-06-20240806" in series for series in found)


def _of(found: Mapping[str, float], metric: str) -> dict[str, float]:
    return {series: value for series, value in found.items() if series.startswith(M.METRICS[metric].prometheus + "{")}


# -- two tiers


def test_second_tier_decides_on_the_tags_of_the_first(otelcol: Path, tmp_path: Path) -> None:
    (port,) = stack.free_ports(1)
    first = tmp_path / "tier1.yaml"
    before, _, rest = fragment("two-tier-1").read_text().partition("exporters:\n")
    plain = f"  otlp_grpc/otel_agentops: {{endpoint: '127.0.0.1:{port}', tls: {{insecure: true}}}}\n"
    service = rest[rest.index("service:") :].replace("load_balancing/", "otlp_grpc/")
    first.write_text(f"{before}exporters:\n{plain}{service}")
    second = [fragment("two-tier-2"), fragment("tail-sampling"), *SOON]
    # The collector of the tests waits for its OTLP/HTTP port; the tier itself needs gRPC alone.
    second.append("yaml:receivers::otlp/otel_agentops_tier1::protocols::http::endpoint: ${env:OTLP_HTTP_ENDPOINT}")
    with overlay_sink.sink() as store:
        variables = {
            **WAIT,
            "OTEL_AGENTOPS_SAMPLE_PERCENT": "0",
            "OTEL_AGENTOPS_STORE": store.url,
            "OTEL_AGENTOPS_TIER2_ENDPOINT": f"127.0.0.1:{port}",
        }
        with (
            stack.collector(second, tmp_path, variables, "tier2") as deciding,
            stack.collector([stack.BASE, stack.OVERLAY, first, *QUICK], tmp_path, {}, "tier1") as counting,
        ):
            sender = Traces(counting.otlp)
            sender.send([span for n in range(10) for span in sender.start_trace(f"fine {n}", CHAT, [TOOL])])
            sender.send(sender.start_trace("incident", CHAT, [{**TOOL, A.ERROR_TYPE: "x"}]))
            store.wait_for(lambda: "incident" in _spans(store))
            found = counters(wait_until_settled(counting, Sender(counting.otlp)), "svc")
            assert errors(deciding) == errors(counting) == []
    assert set(_spans(store)) == {"incident"}
    assert sum(_of(found, M.LLM_CALLS).values()) == 11
