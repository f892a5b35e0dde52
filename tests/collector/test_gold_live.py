"""The gold cohort in a real collector: it chooses the tasks that `is_gold` chooses, and keeps their traces."""

from __future__ import annotations

from pathlib import Path

import overlay_stored
import pytest
from test_fragments_live import CHAT, SOON, WAIT, Traces, at_rest, merge_files

import stack
from otel_agentops import is_gold
from otel_agentops.semconv import attributes as A

pytestmark = pytest.mark.collector

RATIO = 0.2
COMPLETED = {A.TASK_OUTCOME: "completed"}


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
