"""An unchanged agent under `opentelemetry-instrument`: budgets have data; the failing tool and its index have names."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stack
from loopback import serve_json
from otel_agentops.semconv import metrics as M
from otel_agentops.testing.fake_provider import Answer, Call, FakeProvider, ToolCall

pytest.importorskip("langchain", reason="langchain is not installed: its newest wants Python 3.11")
qdrant_client = pytest.importorskip("qdrant_client")
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


def describe_collection() -> object:
    """Return what a store says of a collection, which the library's own engine knows."""
    store = qdrant_client.QdrantClient(":memory:")
    size = qdrant_client.models.VectorParams(size=2, distance=qdrant_client.models.Distance.COSINE)
    store.create_collection("help-pages-7", vectors_config=size)
    return store.get_collection("help-pages-7").model_dump(mode="json")


@pytest.fixture
def store() -> Iterator[str]:
    """A stand-in for a Qdrant server that has lost a replica: each eighth query gets no answer in time."""
    queries, is_over = itertools.count(1), threading.Event()

    def serve(method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            if next(queries) % 8 == 0:
                is_over.wait()
            result: object = {"points": [{"id": 1, "version": 1, "score": 0.5}]}
        elif path == "/aliases":
            result = {"aliases": [{"alias_name": "help-pages", "collection_name": "help-pages-7"}]}
        else:
            result = describe_collection()
        return 200, {"result": result, "status": "ok", "time": 0.001}

    with serve_json(serve) as url:
        yield url
        is_over.set()


@pytest.mark.slow
@pytest.mark.collector
def test_unchanged_agent_names_the_tool_and_its_index(
    collector: stack.Collector, provider: FakeProvider, store: str
) -> None:
    """Of 25 questions three fail, for the index of the search has lost a replica: model and provider are well."""

    def answer(call: Call) -> Answer:
        if call.body["messages"][-1]["role"] == "tool":
            return Answer()
        return Answer(text="", tool_calls=(ToolCall("search_help", '{"city": "Oslo"}'),))

    provider.answer(answer)
    points = importlib.metadata.entry_points(group="opentelemetry_instrumentor")
    others = [point.name for point in points if not point.name.startswith("agentops_")]  # they make spans as well
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
    command = [script, sys.executable, PROGRAM, "25", store]
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
    assert read_counters(collector, M.SLI_VALUE_BAD, variable="index") == {"scope=help-pages sli=task_completed": 3}
    duration = M.METRICS[M.SPAN_DURATION].prometheus
    surface = {"otel_agentops_incident_surface": "retrieval", "otel_agentops_index_name": "help-pages"}
    failed = [sample for sample in collector.scrape() if sample.matches(f"{duration}_count", surface)]
    assert [(each.labels["otel_agentops_incident_reason"], each.value) for each in failed] == [("error", 3)]
