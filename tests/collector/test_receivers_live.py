"""Spans and events that come to any receiver of a real collector are counted, with what `check` advises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from overlay_signals import QUICK, Event, Sender, Span, counters, series, wait_until_settled
from test_overlay_merge import CONFIGS, parse_yaml, print_config

import stack
from otel_agentops.collector import shipped
from otel_agentops.collector.check import run_checks
from otel_agentops.collector.document import Document
from otel_agentops.collector.situation import build_situation
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

pytestmark = pytest.mark.collector

EDGE = """\
receivers:
  otlp/edge:
    protocols: {http: {endpoint: "127.0.0.1:%s"}}
service:
  pipelines:
    traces/edge: {receivers: [otlp/edge], processors: [memory_limiter, batch], exporters: [debug]}
    logs/edge: {receivers: [otlp/edge], processors: [memory_limiter, batch], exporters: [debug]}
"""
CALL = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_PROVIDER_NAME: "openai", A.GEN_AI_REQUEST_MODEL: "gpt-x"}
CALLS = series(M.LLM_CALLS, {**CALL, A.TASK_NAME: "unknown"})
JUDGED = series(M.JUDGE_OBSERVATIONS, {A.JUDGE_NAME: "unknown", A.JUDGE_REVISION: "r1"})


def test_both_otlp_receivers_count_as_check_advises(otelcol: Path, tmp_path: Path, service: str) -> None:
    (port,) = stack.free_ports(1)
    edge = tmp_path / "edge.yaml"
    edge.write_text(EDGE % port)
    files = [stack.BASE, edge, stack.OVERLAY]
    situation = build_situation([Document.read_file(path) for path in files], {})
    found = [finding for finding in run_checks(situation) if finding.level == "problem"]
    assert [finding.subject for finding in found] == [f"{edge}:2"]
    variables = dict([found[0].advice.removeprefix("set ").split("=")])
    with stack.collector([*files, *QUICK], tmp_path, variables) as collector:
        first, second = Sender(collector.otlp), Sender(f"http://127.0.0.1:{port}")
        for sender, count in ((first, 2), (second, 3)):
            sender.spans(service, *[Span("chat", CALL)] * count)
            sender.events(service, *[Event({A.JUDGE_REVISION: "r1"})] * count)
        wait_until_settled(collector, second)  # each has a batch of its own
        samples = wait_until_settled(collector, first)
    sums = counters(samples, service)
    assert {name: sums[name] for name in (CALLS, JUDGED)} == {CALLS: 5, JUDGED: 5}


def test_traces_and_logs_are_read_from_receivers_of_their_own(otelcol: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = CONFIGS / "two_receivers.yaml"
    monkeypatch.setenv("OTEL_AGENTOPS_TRACE_RECEIVER", "otlp/in,otlp/b")
    documents = [shipped.read_config(path) for path in (two, stack.OVERLAY, shipped.find_fragment("honeycomb"))]
    config = build_situation(documents, {**os.environ, "OTEL_AGENTOPS_RECEIVER": "otlp/in"}).get_pipelines()
    pipelines = parse_yaml(print_config(otelcol, "otlp/in", two, stack.OVERLAY))["service"]["pipelines"]
    for name, expected in (("traces", ["otlp/in", "otlp/b"]), ("logs", ["otlp/in"])):
        assert pipelines[f"{name}/otel_agentops"]["receivers"] == expected
        assert config[f"{name}/otel_agentops"]["receivers"] == expected
        assert config[f"{name}/otel_agentops_honeycomb"]["receivers"] == expected
