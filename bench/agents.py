"""Added time of an agent's tool calls and steps: ours beside the others, in processes of their own that take turns.

    python -m bench.agents [--rounds 5] [--calls 100]

The agent is one of LangChain with one tool; its model answers by the transport of the real client, inside the process.
A step is one more call of the model and of the tool: the difference between a run of five steps and one of one step.
Bytecodes are those of all threads; processor time is that of the whole process, exporters that discard included.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points, version
from types import FrameType
from typing import Any

import httpx

from bench.variants import GROUP, NO_CONTENT
from bench.worker import Pipeline

# The entry points of each variant: what observes agents, tools and the model calls of an agent.
VARIANTS = {
    "none": (),
    "ours": ("agentops_langchain_core", "agentops_langgraph", "agentops_openai"),
    "OpenInference": ("langchain",),
    "OpenLLMetry": ("langchain",),
}
DISTRIBUTIONS = {
    "ours": "otel-agentops",
    "OpenInference": "openinference-instrumentation-langchain",
    "OpenLLMetry": "opentelemetry-instrumentation-langchain",
}
STEPS = 5
WARM_UP, TRACED, BATCHES = 10, 3, 5
ROWS = ("tool call", "agent step")


def _respond(request: httpx.Request) -> httpx.Response:
    """Ask for the tool until it was called so often as the question says."""
    messages = json.loads(request.content)["messages"]
    wanted = int(next(each["content"] for each in messages if each["role"] == "user"))
    message: dict[str, Any] = {"role": "assistant", "content": "Sunny."}
    if sum(each["role"] == "tool" for each in messages) < wanted:
        call = {"name": "weather", "arguments": json.dumps({"city": "Oslo", "day": len(messages)})}
        calls = [{"id": f"call_{len(messages)}", "type": "function", "function": call}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-x-1", "usage": usage}
    return httpx.Response(200, json={**answer, "choices": [choice]})


def make_runs() -> dict[str, Callable[[], object]]:
    """Return what is measured: the tool alone, and a run of the agent of one step and of five."""
    from langchain.agents import create_agent
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def weather(city: str, day: int) -> str:
        """Return the weather of a city."""
        return "sunny"

    client = httpx.Client(transport=httpx.MockTransport(_respond))
    model = ChatOpenAI(model="gpt-x", base_url="http://llm.example/v1", api_key="k", http_client=client)
    agent = create_agent(model, tools=[weather], name="support")
    return {
        "tool": lambda: weather.invoke({"city": "Oslo", "day": 1}),
        "one": lambda: agent.invoke({"messages": [("user", "1")]}),
        "five": lambda: agent.invoke({"messages": [("user", str(STEPS))]}),
    }


def count_bytecodes(run: Callable[[], object]) -> float:
    """Return the bytecodes of a warm run, on all threads."""
    count = [0]

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            count[0] += 1
        return trace

    gc.collect()
    gc.disable()
    threading.settrace(trace)
    sys.settrace(trace)
    for _ in range(TRACED):
        run()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    gc.enable()
    return count[0] / TRACED


def time_run(run: Callable[[], object], calls: int) -> float:
    """Return the processor time of a run in us: the median of a few batches."""
    times = []
    for _ in range(BATCHES):
        start = time.process_time_ns()
        for _ in range(calls):
            run()
        times.append((time.process_time_ns() - start) / calls / 1000)
    return statistics.median(times)


def measure(variant: str, calls: int) -> dict[str, dict[str, float]]:
    """Return bytecodes and us of each row in this process, and the spans of a run of five steps."""
    pipeline = Pipeline()
    distribution = DISTRIBUTIONS.get(variant)
    for point in entry_points(group=GROUP):
        if point.name in VARIANTS[variant] and point.dist is not None and point.dist.name == distribution:
            point.load()().instrument(skip_dep_check=True)
    runs = make_runs()
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    found: dict[str, dict[str, float]] = {}
    for what, read in (("us", lambda run: time_run(run, calls)), ("bytecodes", count_bytecodes)):
        values = {name: read(run) for name, run in runs.items()}
        found[what] = {ROWS[0]: values["tool"], ROWS[1]: (values["five"] - values["one"]) / (STEPS - 1)}
    before = pipeline.count_emitted()["spans"]
    runs["five"]()
    found["spans"] = {"run of five steps": pipeline.count_emitted()["spans"] - before}
    return found


def _measure_apart(variant: str, calls: int) -> dict[str, dict[str, float]]:
    command = [sys.executable, "-m", "bench.agents", "--variant", variant, "--calls", str(calls)]
    environment = {**os.environ, **NO_CONTENT}
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _lines(samples: dict[str, list[dict[str, dict[str, float]]]]) -> Iterator[str]:
    yield "| added to one | " + " | ".join(name for name in samples if name != "none") + " |"
    yield "|---|" + "---|" * (len(samples) - 1)
    for row in ROWS:
        for what in ("bytecodes", "us"):
            cells = []
            for name in samples:
                pairs = zip(samples[name], samples["none"], strict=True)
                added = statistics.median(one[what][row] - zero[what][row] for one, zero in pairs)
                cells.append(f"{added:,.0f}")
            yield f"| {row}, {'µs of CPU' if what == 'us' else what} | " + " | ".join(cells[1:]) + " |"
    spans = (f"{found[0]['spans']['run of five steps']:.0f}" for name, found in samples.items() if name != "none")
    yield "| spans of a run of five steps | " + " | ".join(spans) + " |"


def main() -> None:
    """Print the table, or the figures of one variant as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.calls)))
        return
    samples: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in VARIANTS}
    for _ in range(options.rounds):
        for name, found in samples.items():
            found.append(_measure_apart(name, options.calls))
    print("\n".join(_lines(samples)))
    names = ("langchain", "langgraph", *DISTRIBUTIONS.values())
    print("\n" + ", ".join(f"{name} {version(name)}" for name in names))


if __name__ == "__main__":
    main()
