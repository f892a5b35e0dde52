"""The gold cohort in a real collector: it chooses the tasks that `is_gold` chooses, and keeps their traces."""

from __future__ import annotations

from pathlib import Path

import overlay_stored
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_fragments_live import CHAT, SOON, WAIT, Seeded, Traces, at_rest, merge_files

import stack
from otel_agentops import _config, _telemetry, is_gold, task, truth
from otel_agentops.semconv import attributes as A

pytestmark = pytest.mark.collector

RATIO = 0.2
COMPLETED = {A.TASK_OUTCOME: "completed"}
TASKS = 100


def run_tasks(exporter: SpanExporter) -> dict[str, object]:
    """Run tasks, with the same trace ids each time; return what the receipt of each says of the cohort."""
    provider = TracerProvider(id_generator=Seeded(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), tracer_provider=provider))
    said = {}
    try:
        for _ in range(TASKS):
            with task("support") as running:
                trace_id = trace.get_current_span().get_span_context().trace_id
            said[f"{trace_id:032x}"] = running.receipt().get(A.TASK_GOLD)
    finally:
        _telemetry.replace_default(before)
    return said


def test_sdk_collector_and_eval_job_choose_the_same_tasks(
    otelcol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_AGENTOPS_GOLD_RATIO", str(RATIO))
        by_sdk = run_tasks(InMemorySpanExporter())
    variables = {"OTEL_AGENTOPS_GOLD_RATIO": str(RATIO), "STORED": str(tmp_path)}
    with stack.collector(merge_files(tmp_path, "gold"), tmp_path, variables) as running:
        unsaid = run_tasks(OTLPSpanExporter(f"{running.otlp}/v1/traces"))
        overlay_stored.spans(tmp_path, TASKS)
    files = [tmp_path / "traces.jsonl"]
    by_collector = {each.trace_id: each.spans[0].attributes[A.TASK_GOLD] for each in truth.read_tasks(files)}
    by_job = {each.trace_id for each in truth.read_tasks(files, RATIO)}
    assert unsaid == dict.fromkeys(by_sdk), "without a ratio the SDK leaves it to the collector"
    assert by_collector == by_sdk
    assert by_job == {trace_id for trace_id, is_chosen in by_sdk.items() if is_chosen}
    assert 0 < len(by_job) < TASKS


def test_collector_chooses_the_tasks_that_the_sdk_chooses(otelcol: Path, tmp_path: Path) -> None:
    """Of spans that say nothing; what a span says stays."""
    variables = {"OTEL_AGENTOPS_GOLD_RATIO": str(RATIO), "STORED": str(tmp_path)}
    with stack.collector(merge_files(tmp_path, "gold"), tmp_path, variables) as running:
        sender = Traces(running.otlp)
        made = [sender.start_trace("task", COMPLETED, [CHAT]) for _ in range(500)]
        told = sender.start_trace("told", {**COMPLETED, A.TASK_GOLD: True}, [])
        sender.send([span for spans in [*made, told] for span in spans])
        stored = overlay_stored.spans(tmp_path, 1001)
    roots = [spans[-1].context.trace_id for spans in made]
    said = [each.attributes.get(A.TASK_GOLD) for each in stored]
    assert said == [flag for trace_id in roots for flag in (None, is_gold(trace_id, RATIO))] + [True]
    assert 60 < said.count(True) < 140


def test_tail_sampling_keeps_the_gold_cohort(otelcol: Path, tmp_path: Path) -> None:
    variables = {**WAIT, "OTEL_AGENTOPS_SAMPLE_PERCENT": "0", "OTEL_AGENTOPS_GOLD_RATIO": str(RATIO)}
    configs = [*merge_files(tmp_path, "gold", "tail-sampling"), *SOON]
    with stack.collector(configs, tmp_path, {**variables, "STORED": str(tmp_path)}) as running:
        sender = Traces(running.otlp)
        made = {f"{n}": sender.start_trace(f"{n}", COMPLETED, [CHAT]) for n in range(60)}
        sender.send([span for spans in made.values() for span in spans])
        sender.send(sender.start_trace("last", {**CHAT, A.ERROR_TYPE: "429"}, []))
        kept = at_rest(tmp_path, "last")
    gold = {name: 2 for name, spans in made.items() if is_gold(spans[-1].context.trace_id, RATIO)}
    assert kept == {**gold, "last": 1}
    assert len(gold) > 3
