"""Stored traces, judged by another program later: the verdicts are counted at the time of the tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai as library
import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from test_truth_backfill import encode, run, write_lines

import stack
from otel_agentops import _config, _telemetry, is_gold, judge, task, truth
from otel_agentops.clients import openai
from otel_agentops.helpers import _task
from otel_agentops.testing.fake_provider import FakeProvider

HOUR_S = 3600
STORED = Path(__file__).parents[1] / "collector" / "configs" / "stored.yaml"
TASKS = 12
RATIO = 0.5
THRESHOLD = 0.7


@contextmanager
def run_program(otlp: str, service: str) -> Iterator[None]:
    """Run as a program of its own would: with providers that export what it emits, and with our openai adapter."""
    resource = Resource({"service.name": service, "deployment.environment.name": "prod"})
    tracer_provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracer_provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{otlp}/v1/traces")))
    logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{otlp}/v1/logs")))
    providers = {"tracer_provider": tracer_provider, "logger_provider": logger_provider}
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), **providers))
    instrumentor = openai.Instrumentor()
    instrumentor.instrument(**providers, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        _telemetry.replace_default(before)


def answer_tasks(gpt: library.OpenAI) -> list[dict[str, Any]]:
    receipts = []
    for number in range(TASKS):
        with task("support", segment="web") as running:
            gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": f"question {number}"}])
        receipts.append(running.receipt())
    return receipts


def judge_tasks(tasks: list[truth.StoredTask], gpt: library.OpenAI) -> None:
    """Score every third task below the threshold; a second run of the job says the same again."""
    for number, stored in enumerate(tasks):
        with judge("helpful", model="gpt-x", prompt="Is it helpful?", threshold=THRESHOLD) as verdict:
            gpt.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "Is it helpful?"}])
            verdict.score(0.5 if number % 3 == 0 else 0.9, task=stored.receipt)


@pytest.mark.collector
def test_later_judgements_count_at_the_time_of_their_tasks(
    otelcol: Path, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpt = library.OpenAI(api_key="k", base_url=provider.openai_url)
    asked_at_s = int(time.time()) - 5 * HOUR_S
    with stack.collector([STORED], tmp_path, {"STORED": str(tmp_path)}) as running:
        with monkeypatch.context() as patch, run_program(running.otlp, "shop"):
            patch.setattr(_task, "time_ns", lambda: asked_at_s * 10**9)
            receipts = answer_tasks(gpt)
        traces, logs = tmp_path / "traces.jsonl", tmp_path / "logs.jsonl"
        running.wait_until(lambda: traces.exists() and traces.read_text().count("task.outcome") >= TASKS)
        everything = truth.read_tasks([traces])
        chosen = truth.read_tasks([traces], RATIO)
        with run_program(running.otlp, "nightly-judge"):
            judge_tasks(chosen, gpt)
            judge_tasks(chosen, gpt)
        running.wait_until(lambda: logs.exists() and logs.read_text().count("evaluation.result") >= 2 * len(chosen))
    assert [each.receipt for each in everything] == receipts, "as the task itself gave it"
    assert {(each.service, each.environment, len(each.spans)) for each in everything} == {("shop", "prod", 2)}
    assert chosen == [each for each in everything if is_gold(each.trace_id, RATIO)]
    assert 0 < len(chosen) < TASKS

    out = tmp_path / "judged.om"
    assert run(logs, "--out", out)[:2] == (0, f"{out}: 0 labels, {len(chosen)} judgements\n")
    at_s = -(-asked_at_s // 60) * 60
    bad = len(range(0, len(chosen), 3))
    lines = out.read_text().splitlines()
    assert [line.rpartition("}")[2] for line in lines if "{" in line] == [f" {len(chosen)} {at_s}", f" {bad} {at_s}"]
    for name in ("sli_events", "sli_bad"):
        (line,) = [each for each in lines if each.startswith(f"otel_agentops:{name}:increase{{")]
        assert 'otel_agentops_judge_name="helpful"' in line
        assert 'otel_agentops_sli_name="judge_score"' in line


def write_event(path: Path, **attributes: Any) -> Path:
    said = {
        "otel_agentops.judge.name": "helpful",
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 0.5,
        "otel_agentops.judge.threshold": 0.7,
        "otel_agentops.task.id": "t1",
        "otel_agentops.task.started_at": 1_790_000_000,
        **attributes,
    }
    record = {"eventName": "gen_ai.evaluation.result", "attributes": encode(said)}
    resource = {"attributes": encode({"service.name": "shop"})}
    return write_lines(path, {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]})


@pytest.mark.parametrize(
    ("attributes", "verdict"),
    [
        ({}, "bad"),
        ({"gen_ai.evaluation.score.value": 0.7}, "good"),
        ({"otel_agentops.sli.judge_score.bad": 0}, "good"),  # the collector's word comes first
        ({"otel_agentops.judge.threshold": None}, None),
        ({"gen_ai.evaluation.score.value": None, "error.type": "TimeoutError"}, None),
        ({"otel_agentops.task.started_at": None}, None),  # of a task that ran: the collector counted it
    ],
)
def test_verdict_of_a_later_judgement(tmp_path: Path, attributes: dict[str, Any], verdict: str | None) -> None:
    source, out = write_event(tmp_path / "e.jsonl", **attributes), tmp_path / "out"
    code = run(source, "--out", out)[0]
    assert code == (verdict is None)
    if verdict is not None:
        counts = [line.split()[-2] for line in out.read_text().splitlines() if "{" in line]
        assert counts == ["1", str(int(verdict == "bad"))]


OBJECTIVE = "name: scored\nobjective: 0.9\nowner: o\nrunbook: r\nsli:\n  {sli}\n"
FLOOR = "{use: score_floor, threshold: 0.7, judge: helpful, name: helpful_enough}"
ERRORS = (
    "{name: judge_fails, type: direct, on: evaluation, about: failures, "
    "eligible: 'attributes[\"gen_ai.evaluation.name\"] != nil', bad: 'attributes[\"error.type\"] != nil'}"
)


@pytest.mark.parametrize(
    ("sli", "attributes", "verdict"),
    [
        (FLOOR, {}, "bad"),
        (FLOOR, {"gen_ai.evaluation.score.value": 0.7}, "good"),
        (FLOOR, {"otel_agentops.sli.helpful_enough.bad": 0}, "good"),
        (FLOOR, {"gen_ai.evaluation.score.value": "0.5"}, None),
        (FLOOR, {"otel_agentops.judge.name": "kind"}, None),
        (ERRORS, {}, None),  # conditions are a collector's to evaluate
        (ERRORS, {"otel_agentops.sli.judge_fails.bad": 1}, "bad"),
    ],
)
def test_own_indicator_of_a_later_judgement(
    tmp_path: Path, sli: str, attributes: dict[str, Any], verdict: str | None
) -> None:
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "scored.yaml").write_text(OBJECTIVE.format(sli=sli))
    source = write_event(tmp_path / "e.jsonl", **{"otel_agentops.judge.threshold": None, **attributes})
    out = tmp_path / "out"
    code = run(source, "--slo", tmp_path / "slo", "--out", out)[0]
    assert code == (verdict is None)
    if verdict is not None:
        counts = [line.split()[-2] for line in out.read_text().splitlines() if "{" in line]
        assert counts == ["1", str(int(verdict == "bad"))]


def test_judgements_that_the_collector_counted_are_left_out(tmp_path: Path) -> None:
    source = write_event(tmp_path / "e.jsonl")
    assert run(source, "--out", tmp_path / "out", "--counted")[0] == 1
