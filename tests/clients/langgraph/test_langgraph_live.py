"""An unchanged agent under `opentelemetry-instrument`: budgets have data, and the failing tool has a name."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import stack
from otel_agentops.semconv import metrics as M
from otel_agentops.testing.fake_provider import FakeProvider

pytest.importorskip("langchain", reason="langchain is not installed: its newest wants Python 3.11")
PROGRAM = Path(__file__).with_name("agent_program.py")
QUICK = "yaml:processors::batch/otel_agentops::timeout: 100ms"
LABELS = {
    "otel_agentops_sli_name": "sli",
    "gen_ai_tool_name": "tool",
    "otel_agentops_task_name": "task",
    "otel_agentops_change_variable": "variable",
    "otel_agentops_change_scope": "scope",
}


@pytest.fixture
def collector(otelcol: Path, tmp_path: Path) -> Iterator[stack.Collector]:
    variables = {"OTEL_AGENTOPS_FLUSH": "200ms"}
    with stack.collector([stack.BASE, stack.OVERLAY, QUICK], tmp_path, variables) as running:
        yield running


def read_counters(collector: stack.Collector, metric: str, **labels: str) -> dict[str, float]:
    """Return the value of each series of a counter by the labels that say something."""
    name, found = M.METRICS[metric].prometheus, {}
    for sample in collector.scrape():
        told = {short: sample.labels[label] for label, short in LABELS.items() if label in sample.labels}
        if sample.matches(name, {"service_name": "support"}) and labels.items() <= told.items():
            rest = " ".join(f"{key}={value}" for key, value in sorted(told.items()) if key not in labels)
            found[rest] = found.get(rest, 0) + sample.value
    return found


@pytest.mark.slow
@pytest.mark.collector
def test_unchanged_agent_has_budgets_and_names_the_tool(collector: stack.Collector, provider: FakeProvider) -> None:
    """Of 25 questions three fail: model and provider are well, and nothing was deployed."""
    points = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    others = [
        point.name for point in points if not point.name.startswith("agentops_")
    ]  # each of which makes spans, too
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
        "OPENAI_BASE_URL": provider.openai_url,
        "OPENAI_API_KEY": "k",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "support",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(others),
    }
    script = Path(sys.executable).with_name("opentelemetry-instrument")
    command = [script, sys.executable, PROGRAM, "25", "8"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "sorry\n" * 3), done.stderr[-2000:]
    end = time.monotonic() + 20
    while sum(read_counters(collector, M.SLI_EVENTS, sli="task_completed").values()) < 25:
        assert time.monotonic() < end, collector.output[-2000:]
        time.sleep(0.2)
    assert read_counters(collector, M.SLI_EVENTS, sli="task_completed") == {"task=support": 25}
    assert read_counters(collector, M.SLI_BAD, sli="task_completed") == {"task=support": 3}
    assert read_counters(collector, M.SLI_VALUE_BAD, sli="tool_success", variable="tool") == {"scope=search_help": 3}
    assert sum(read_counters(collector, M.SLI_BAD, sli="call_success").values()) == 0
