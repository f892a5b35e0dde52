"""Run every call of a client beside its other instrumentations, in both orders, and print what each call makes.

    python tests/coexistence/cell.py CALLS [COMBINATION...]

CALLS is a name that `calls.load_calls` knows. A combination is `ours`, or `PEER`, `PEER, ours first`, `PEER, theirs
first`; all of them by default. Prints JSON: {"ours": {"sync chat": {"error": null, "spans": [], "measured": {}}}}.

Every combination runs in a fork of one process that has imported everything: an import costs a second or two and an
installation milliseconds, and nothing that one combination patches is left for the next.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import _deferred_work, task
from otel_agentops.testing.contract import await_result

HERE = Path(__file__).parent
CLIENTS = HERE.parent / "clients"
TASK = "matrix"
OURS_FIRST, THEIRS_FIRST = "ours first", "theirs first"
Results = dict[str, dict[str, dict[str, Any]]]  # by combination and call


def run_cells(name: str, *combinations: str, **variables: str) -> Results:
    """Return what the calls make, by combination; some clients read their variables when they are imported."""
    path = os.pathsep.join(map(str, (HERE, CLIENTS, CLIENTS / name.partition(" ")[0])))
    ended = subprocess.run(
        [sys.executable, HERE / "cell.py", name, *combinations],
        env={**os.environ, **variables, "PYTHONPATH": path, "OTEL_AGENTOPS_STRICT": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    results: Results = json.loads(ended.stdout.splitlines()[-1])
    return results


class Cell:
    """The global providers of this process, and what they saw since the last look."""

    def __init__(self, set_provider: Callable[[SpanProcessor], None]) -> None:
        self.spans = InMemorySpanExporter()
        set_provider(SimpleSpanProcessor(self.spans))
        self.reader = InMemoryMetricReader({Histogram: AggregationTemporality.DELTA})
        metrics.set_meter_provider(MeterProvider([self.reader]))

    def look(self) -> dict[str, Any]:
        """Return the spans below the task and the token counts that each scope recorded, and forget both."""
        _deferred_work.run_deferred()
        spans = [_describe_span(span) for span in self.spans.get_finished_spans() if TASK not in span.name]
        self.spans.clear()
        return {"spans": spans, "measured": self._count_measurements()}

    def _count_measurements(self) -> dict[str, dict[str, int]]:
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


def _describe_span(span: Any) -> dict[str, Any]:
    attributes = {key: list(value) if isinstance(value, tuple) else value for key, value in span.attributes.items()}
    return {"scope": span.instrumentation_scope.name, "name": span.name, "attributes": attributes}


async def make_calls(cell: Cell, calls: Any, kind: str, provider: Any) -> dict[str, dict[str, Any]]:
    """Make every call with one kind of client."""
    client, results = calls.open_client(kind, provider), {}
    for name, make_call in calls.list_calls(client, kind):
        error = None
        with task(TASK, id=name, segment="eu"):
            try:
                await make_call()
            except Exception:  # noqa: BLE001  a peer may break a call: that is a result
                error = traceback.format_exc()
        results[name] = {"error": error, **cell.look()}
    await await_result(calls.close_client(client))
    return results


def run_combination(calls: Any, installed: list[Any]) -> dict[str, dict[str, Any]]:
    """Make every call with these instrumentors, installed in this order."""
    cell, results = Cell(calls.set_provider), {}
    for instrumentor in installed:
        instrumentor().instrument()
    with calls.serve() as provider:
        for kind in calls.kinds:
            results |= asyncio.run(make_calls(cell, calls, kind, provider))
    return results


def run_in_fork(work: Callable[[], Any]) -> Any:
    """Return the result of a function that runs in a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with os.fdopen(writing, "w") as out:
                json.dump(work(), out)
            code = 0
        finally:
            if code:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
    return json.loads(text)


def list_combinations(calls: Any) -> dict[str, list[Any]]:
    """Return the instrumentors of every combination, in the order of their installation."""
    ours = load_object(calls.instrumentor)
    combinations = {"ours": [ours]}
    for title, path in calls.peers.items():
        theirs = load_object(path)
        combinations[title] = [theirs]
        combinations[f"{title}, {OURS_FIRST}"] = [ours, theirs]
        combinations[f"{title}, {THEIRS_FIRST}"] = [theirs, ours]
    return combinations


def load_object(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def main(name: str, *chosen: str) -> None:
    from calls import load_calls

    logging.disable()  # of peers that report what they do not support
    calls = load_calls(name)
    results = {
        combination: run_in_fork(lambda installed=installed: run_combination(calls, installed))
        for combination, installed in list_combinations(calls).items()
        if not chosen or combination in chosen
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
