"""The flight recorder's figures: bytes a call, what is added on the caller's thread, and a sustained rate.

    python -m bench.recorder [bytes] [bytecodes] [caller] [rate] [--seconds 60] [--rate 500]

The workload is an agent of 20 turns with a system prompt of 8,192 bytes and 20 tools; a tool's result brings three new
passages of 450 bytes each turn, and no text comes twice; its words are as frequent as in a language. It goes through
the whole OpenAI client, whose transport answers inside the process. What is added on the caller's thread is the
difference of calls with and without the recorder, taken in turns in one process, of that thread's processor time; the
body is given as `extra_body` there, for the client takes 10 ms to check each member of this one, and differences of
microseconds would be lost in that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bench.bytecodes import CALLS, count_bytecodes
from bench.workload import WORKLOADS, _api, _http
from otel_agentops import _config, _telemetry, task
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.recorder import writer as writer_module
from otel_agentops.recorder.reading import list_segment_files

TURNS, TASKS = 20, 10
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_CHANCE = random.Random(7)
_WORDS = ["".join(_CHANCE.choices(_LETTERS, range(26, 0, -1), k=_CHANCE.randint(2, 9))) for _ in range(2500)]
# As in any language: the second word is half as frequent as the first.
_WEIGHTS = list(itertools.accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))


def write_text(size: int) -> str:
    """Return words that were not there before."""
    words: list[str] = []
    length = 0
    while length < size:
        words.append(_CHANCE.choices(_WORDS, cum_weights=_WEIGHTS)[0])
        length += len(words[-1]) + 1
    return " ".join(words)[:size]


SYSTEM = write_text(8192)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"lookup_{number}",
            "description": write_text(200),
            "parameters": {
                "type": "object",
                "properties": {
                    name: {"type": "string", "description": write_text(90)} for name in ("order_id", "channel", "limit")
                },
                "required": ["order_id"],
            },
        },
    }
    for number in range(20)
]


def make_answer(number: int) -> dict[str, Any]:
    """Return the provider's answer, which calls a tool."""
    call = {
        "id": f"call_{_CHANCE.getrandbits(96):024x}",
        "type": "function",
        "function": {"name": f"lookup_{number % 20}", "arguments": json.dumps({"order_id": write_text(12)})},
    }
    message = {"role": "assistant", "content": write_text(120), "tool_calls": [call], "refusal": None}
    return {
        "id": f"chatcmpl-{_CHANCE.getrandbits(144):036x}",
        "object": "chat.completion",
        "created": 1_770_000_000 + number,
        "model": "gpt-x-2026-03-01",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 9000 + number, "completion_tokens": 60, "total_tokens": 9060 + number},
        "system_fingerprint": "fp_44709d6fcb",
    }


class Agent:
    """The calls of one client, task after task."""

    def __init__(self, measures_gzip: bool = False, checks_body: bool = True) -> None:
        self.measures_gzip = measures_gzip
        self._checks_body = checks_body
        self.call_ns: list[int] = []  # processor time of this thread in each call
        http = _http(WORKLOADS["openai"])
        self.wire_bytes = self.gzip_bytes = 0
        self._answer: dict[str, Any] = {}
        headers = {"content-type": "application/json", "x-request-id": "req_0123456789abcdef"}

        def answer(request: Any) -> Any:
            body = json.dumps(self._answer, separators=(",", ":")).encode()
            self.wire_bytes += len(request.content) + len(body)
            if self.measures_gzip:
                self.gzip_bytes += len(zlib.compress(request.content)) + len(zlib.compress(body))
            return http.Response(200, headers=headers, content=body)

        client = _api(WORKLOADS["openai"], 0, http.Client(transport=http.MockTransport(answer)))
        self._create = client.chat.completions.create

    def run_task(self) -> Iterator[None]:
        """Make the calls of one task, one at each step."""
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": write_text(150)},
        ]
        with task("support"):
            for number in range(TURNS):
                self._answer = make_answer(number)
                body: dict[str, Any] = {"messages": messages, "tools": TOOLS}
                if not self._checks_body:
                    body = {"messages": [], "extra_body": body}
                start = time.thread_time_ns()
                self._create(model="gpt-x", temperature=0, **body)
                self.call_ns.append(time.thread_time_ns() - start)
                yield
                message = self._answer["choices"][0]["message"]
                passages = [{"id": f"doc-{_CHANCE.getrandbits(64):x}", "text": write_text(450)} for _ in range(3)]
                call_id = message["tool_calls"][0]["id"]
                result = {"role": "tool", "tool_call_id": call_id, "content": json.dumps(passages)}
                messages += [{name: message[name] for name in ("role", "content", "tool_calls")}, result]


def install(directory: str | None) -> _telemetry.Telemetry:
    """Return a telemetry with or without a recorder."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    environ = {} if directory is None else {"OTEL_AGENTOPS_RECORDER": directory, "OTEL_AGENTOPS_RECORDER_MODE": "full"}
    return _telemetry.Telemetry(_config.read_config(environ), provider)


def use(telemetry: _telemetry.Telemetry) -> None:
    """Have the client and the verbs observed by it from now on."""
    _telemetry.replace_default(telemetry)
    for library in Instrumentor.libraries:
        library.telemetry = telemetry


def measure_bytes(is_idle: bool) -> dict[str, float]:
    """Return the bytes on disk and the writer's processor time for each call."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry, agent = install(directory), Agent(measures_gzip=True)
        use(telemetry)
        assert telemetry._recorder is not None
        writer = telemetry._recorder.writer
        writer_module.FLUSH_S = 2.0  # frames are full, as they are in a busy service, whatever this machine is doing
        for _ in range(TASKS):
            for _ in agent.run_task():
                if is_idle:  # each call has its own frame
                    _wait_for_disk(writer)
        assert writer.close(60)
        size = sum(file.stat().st_size for file in list_segment_files(directory))
        sums = {"wire": agent.wire_bytes, "each alone by gzip": agent.gzip_bytes, "on disk": size}
        return {f"{name}, bytes/call": total / (TASKS * TURNS) for name, total in sums.items()}


def _wait_for_disk(writer: Any) -> None:
    count = writer._frontier.size
    writer._is_urgent = True
    writer._wake.put(None)
    while writer._frontier.size == count:
        time.sleep(0.001)


def measure_bytecodes() -> dict[str, float]:
    """Return the bytecodes that the recorder adds to a call on the caller's thread; the least of a few rounds."""
    call = WORKLOADS["openai"].sync_call("typical")
    with tempfile.TemporaryDirectory() as directory:
        with_recorder, without = install(directory), install(None)
        least: dict[int, float] = {}
        for telemetry in (without, with_recorder) * 5:
            use(telemetry)
            count = sum(count_bytecodes(call).values()) / CALLS
            least[id(telemetry)] = min(count, least.get(id(telemetry), count))
        assert with_recorder._recorder is not None
        assert with_recorder._recorder.writer.close(60)
        on, off = least[id(with_recorder)], least[id(without)]
        return {"call with": on, "call without": off, "added": on - off}


def measure_caller() -> dict[str, float]:
    """Return the microseconds that the recorder adds to a call on the caller's thread; the median over pairs."""
    with tempfile.TemporaryDirectory() as directory:
        with_recorder, without = install(directory), install(None)
        agent = Agent(checks_body=False)
        pairs: list[tuple[int, int]] = []
        for number in range(40):
            order = (with_recorder, without) if number % 2 else (without, with_recorder)
            times: dict[int, list[int]] = {}
            for telemetry in order:
                use(telemetry)
                agent.call_ns = times[id(telemetry)] = []
                for _ in agent.run_task():
                    pass
            pairs += zip(times[id(with_recorder)], times[id(without)], strict=True)
        assert with_recorder._recorder is not None
        assert with_recorder._recorder.writer.close(60)
        on, off = (statistics.median(column) / 1000 for column in zip(*pairs, strict=True))
        added = statistics.median(first - second for first, second in pairs) / 1000
        return {"call with, us": on, "call without, us": off, "added, us": added}


def measure_rate(rate: int, seconds: float) -> dict[str, float]:
    """Return what became of calls at a steady rate from four threads: losses, and processor time of the writer."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry = install(directory)
        assert telemetry._recorder is not None
        sink, writer = telemetry._recorder, telemetry._recorder.writer
        use(telemetry)
        sent, deepest = [0], 0
        bodies = _collect_bodies()
        start, cpu = time.monotonic(), time.process_time()
        while (now := time.monotonic() - start) < seconds:
            due = int(now * rate)
            while sent[0] < due:
                _offer(sink, bodies[sent[0] % len(bodies)], sent[0])
                sent[0] += 1
            deepest = max(deepest, writer._queued_bytes)
            time.sleep(0.002)
        elapsed = time.monotonic() - start
        assert writer.close(60)
        size = sum(file.stat().st_size for file in list_segment_files(Path(directory)))
        return {
            "calls/s": sent[0] / elapsed,
            "lost": sum(writer.losses.values()),
            "deepest queue, MB": deepest / 1e6,
            "bytes/call": size / sent[0],
            "process cpu, %": 100 * (time.process_time() - cpu) / elapsed,
            "threads": threading.active_count(),
        }


def _collect_bodies() -> list[tuple[bytes, bytes]]:
    """Return requests and answers of some tasks: at 500 a second the client would be what is measured."""
    bodies: list[tuple[bytes, bytes]] = []
    for _ in range(TASKS * 4):
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": write_text(150)},
        ]
        for number in range(TURNS):
            answer = make_answer(number)
            body = {"messages": messages, "model": "gpt-x", "temperature": 0, "tools": TOOLS}
            bodies.append((json.dumps(body, separators=(",", ":")).encode(), json.dumps(answer).encode()))
            message = answer["choices"][0]["message"]
            result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": write_text(1400)}
            messages = [*messages, message, result]
    return bodies


def _offer(sink: Any, body: tuple[bytes, bytes], number: int) -> None:
    """Observe one call whose bytes are known."""
    from otel_agentops._observation import Observation
    from otel_agentops.operations import Answer, ModelCall

    observation = Observation(_telemetry.get_default())
    observation.attempts = []
    assert observation.start(ModelCall("chat", "openai", "gpt-x", {}))
    sink.request_sent(observation, body[0])
    sink.wire_received(observation, {"x-request-id": f"req_{number}"}, body[1])
    if observation.span is not None:
        observation.span.detach()
    observation.finish(Answer("gpt-x-2026-03-01", {}, 9000, 60))


def main() -> None:
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["bytes", "bytecodes", "caller", "rate"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=500)
    options = parser.parse_args()
    Instrumentor().instrument(skip_dep_check=True)
    if "bytes" in options.what:
        print("busy", measure_bytes(is_idle=False))
        print("idle", measure_bytes(is_idle=True))
    if "bytecodes" in options.what:
        print("bytecodes", measure_bytecodes())
    if "caller" in options.what:
        print("caller", measure_caller())
    if "rate" in options.what:
        print("rate", measure_rate(options.rate, options.seconds))


if __name__ == "__main__":
    main()
