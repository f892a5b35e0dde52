"""Bytecodes that a call costs: exact to about 0.1 % on a shared machine, where clocks wobble by a factor of two.

    python -m bench.bytecodes [--functions] [workload ...]

Another checkout is measured with its sources first on the path: `PYTHONPATH=<checkout>/src python -m bench.bytecodes`.
Each cell is one process: the client's calls with a mock transport, traced opcode by opcode on the calling thread.
Nothing in C is counted, so a change is decided here and its time is reported by `python -m bench.run`.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from bench.workload import WORKLOADS

DEFAULT = ("openai/small", "openai/typical", "openai/stream", "anthropic/small")
SETTINGS = ("none", "ours", "not sampled", "no provider")  # "not sampled": and no meter provider
WARM_UP, CALLS = 5, 2
HEAD = f"{'bytecodes per call':20}{'client alone':>14}" + "".join(f"{'+ ' + name:>14}" for name in SETTINGS[1:])


def count_bytecodes(call: Callable[[int], None]) -> Counter[CodeType]:
    """Return the bytecodes of a warm call by function; the mean over a few calls."""
    counts: Counter[CodeType] = Counter()

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            counts[frame.f_code] += 1
        return trace

    for number in range(WARM_UP):
        call(number)
    gc.collect()
    gc.disable()
    sys.settrace(trace)
    for number in range(CALLS):
        call(WARM_UP + number)
    sys.settrace(None)
    gc.enable()
    return counts


def measure(client: str, shape: str, setting: str) -> dict[str, float]:
    """Return the bytecodes of a call in this process, by function."""
    if setting != "none":
        providers: dict[str, Any] = {}
        if setting != "no provider":
            tracer_provider = TracerProvider(sampler=ALWAYS_ON if setting == "ours" else ALWAYS_OFF)
            tracer_provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
            providers["tracer_provider"] = tracer_provider
        if setting == "ours":
            providers["meter_provider"] = MeterProvider([InMemoryMetricReader()])
        importlib.import_module(f"otel_agentops.clients.{client}").Instrumentor().instrument(**providers)
    counts = count_bytecodes(WORKLOADS[client].sync_call(shape))
    by_function: Counter[str] = Counter()
    for code, count in counts.items():
        by_function[f"{'/'.join(code.co_filename.split('/')[-3:])}:{code.co_qualname}"] += count
    return {name: count / CALLS for name, count in by_function.items()}


def measure_apart(workload: str, setting: str) -> dict[str, float]:
    """Return what `measure` gives in a process of its own."""
    command = [sys.executable, "-m", "bench.bytecodes", "--setting", setting, workload]
    counts: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return counts


def main() -> None:
    """Print the table, or one cell of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workloads", nargs="*", default=DEFAULT, help="client/shape")
    parser.add_argument("--functions", action="store_true", help="also print the functions that cost most")
    parser.add_argument("--setting", choices=SETTINGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.setting:
        print(json.dumps(measure(*options.workloads[0].split("/"), options.setting)))
        return
    print(HEAD)
    for workload in options.workloads:
        bare, *counts = (measure_apart(workload, setting) for setting in SETTINGS)
        total = sum(bare.values())
        print(f"{workload:20}{total:14,.0f}" + "".join(f"{sum(cell.values()) - total:14,.0f}" for cell in counts))
        for name, count in Counter(counts[0]).most_common() if options.functions else ():
            if (added := count - bare.get(name, 0)) >= total / 2000:
                print(f"{added:14,.0f}  {name}")


if __name__ == "__main__":
    main()
