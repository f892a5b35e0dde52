"""One variant in one fresh process: the real SDK with exporters that discard, then every shape of call, timed.

What is printed as JSON is the processor time of the whole process (all threads, so the batch processor's work counts)
and the wall time of a call, in microseconds: the median over batches of calls. Run by run.py.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bench import clients
from bench.clients import Timed
from bench.variants import VARIANTS

BATCHES = 10
WARM_UP = 20  # calls: caches of the client (models, transforms) and of the instrumentation are filled


class DiscardedSpans(SpanExporter):
    """Counts spans and their attributes, keeps none."""

    spans = attributes = 0

    def export(self, spans: Any) -> SpanExportResult:
        self.spans += len(spans)
        self.attributes += sum(len(span.attributes or ()) for span in spans)
        return SpanExportResult.SUCCESS


class DiscardedLogs(LogRecordExporter):
    """Counts log records, keeps none."""

    records = 0

    def export(self, batch: Any) -> LogRecordExportResult:
        self.records += len(batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


class Pipeline:
    """The three signals as an application configures them, global, and what came out of them."""

    def __init__(self) -> None:
        self._spans, self._logs, self._reader = DiscardedSpans(), DiscardedLogs(), InMemoryMetricReader()
        self._tracing, self._logging = TracerProvider(), LoggerProvider()
        self._tracing.add_span_processor(BatchSpanProcessor(self._spans))
        self._logging.add_log_record_processor(BatchLogRecordProcessor(self._logs))
        trace.set_tracer_provider(self._tracing)
        metrics.set_meter_provider(MeterProvider([self._reader]))
        set_logger_provider(self._logging)

    def flush(self) -> None:
        self._tracing.force_flush()
        self._logging.force_flush()

    def count_emitted(self) -> dict[str, int]:
        """Return totals so far: spans, their attributes, measurements recorded, events."""
        self.flush()
        return {
            "spans": self._spans.spans,
            "attributes": self._spans.attributes,
            "measurements": sum(self._measurements()),
            "events": self._logs.records,
        }

    def _measurements(self) -> Iterator[int]:
        data = self._reader.get_metrics_data()
        for resource_metrics in data.resource_metrics if data else ():
            for scope in resource_metrics.scope_metrics:
                for metric in scope.metrics:
                    yield from (getattr(point, "count", 0) for point in metric.data.data_points)


class Clock:
    """Times batches of calls: processor time of the process and wall time, in microseconds a call."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        gc.collect()
        gc.freeze()  # the libraries' own objects are not searched again before each batch
        self._cpu: list[float] = []
        self._wall: list[float] = []

    def __enter__(self) -> None:
        gc.collect()
        self._before = (time.process_time_ns(), time.perf_counter_ns())

    def __exit__(self, *_: object) -> None:
        cpu, wall = time.process_time_ns() - self._before[0], time.perf_counter_ns() - self._before[1]
        self._cpu.append(cpu / self._calls / 1000)
        self._wall.append(wall / self._calls / 1000)

    def medians(self) -> dict[str, float]:
        return {"cpu": statistics.median(self._cpu), "wall": statistics.median(self._wall)}


def time_sync(workload: Timed, shape: str, calls: int) -> dict[str, float]:
    call = workload.sync_call(shape)
    for number in range(WARM_UP):
        call(number)
    clock = Clock(calls)
    for batch in range(BATCHES):
        with clock:
            for number in range(calls):
                call(batch * calls + number)
    return clock.medians()


async def time_async(workload: Timed, shape: str, calls: int) -> dict[str, float]:
    call = workload.async_call(shape)
    for number in range(WARM_UP):
        await call(number)
    clock = Clock(calls)
    for batch in range(BATCHES):
        with clock:
            for number in range(calls):
                await call(batch * calls + number)
    return clock.medians()


def time_rows(workload: Timed, pipeline: Pipeline, calls: int) -> dict[str, Any]:
    """Time every shape by each kind of client; a stream takes ten times a plain call and gets a third of the calls."""
    times: dict[str, Any] = {}
    emitted: dict[str, Any] = {}
    for row, (shape, kind) in workload.kinds.items():
        count = max(1, calls // 3) if shape == "stream" else calls
        before = pipeline.count_emitted()
        if kind == "sync":
            times[row] = time_sync(workload, shape, count)
        else:
            times[row] = asyncio.run(time_async(workload, shape, count))
        made = WARM_UP + BATCHES * count
        emitted[shape] = {what: (n - before[what]) / made for what, n in pipeline.count_emitted().items()}
    return {"times": times, "emitted": emitted}


def memory(workload: Timed, pipeline: Pipeline, calls: int) -> dict[str, float]:
    """Return the growth of resident memory in KiB over many small calls, after as many others grew the heap."""
    call = workload.sync_call("small")
    _make(call, calls, pipeline)
    before = resident()
    _make(call, calls, pipeline)
    return {"memory": resident() - before}


def _make(call: Callable[[int], None], calls: int, pipeline: Pipeline) -> None:
    for number in range(calls):
        call(number)
    pipeline.flush()
    gc.collect()


def resident() -> float:
    """Return resident memory in KiB: of now if the system has it, else the peak so far."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("client", choices=clients.NAMES)
    parser.add_argument("what", choices=["times", "memory"])
    parser.add_argument("calls", type=int)
    asked = parser.parse_args()
    pipeline = Pipeline()
    with clients.serve_workload(asked.client) as workload:
        instrumentor = clients.instrumentor(asked.variant, asked.client)
        if instrumentor is not None:
            instrumentor().instrument(skip_dep_check=True)
        measure = time_rows if asked.what == "times" else memory
        print(json.dumps(measure(workload, pipeline, asked.calls)))


if __name__ == "__main__":
    main()
