"""The flight recorder's figures: bytes a call, what is added on the caller's thread, and a sustained rate.

    python -m bench.recorder [bytes] [bytecodes] [caller] [rate] [--seconds 60] [--rate 500] [--tasks 40]

The workload is an agent of 20 turns with a system prompt of 8,192 bytes and 20 tools; a tool's result brings three new
passages of 450 bytes each turn, and no text comes twice; its words are as frequent as in a language. It goes through
the whole OpenAI client, whose transport answers inside the process. What is added on the caller's thread is the
difference of calls with and without the recorder, taken in turns in one process, of that thread's processor time. The
client takes 10 ms to check each member of such a body, and differences of microseconds would be lost in that: it sends
the body as it is given.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import random
import statistics
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
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


def write_task() -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Yield the messages of each call of a task, and the provider's answer to them."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": write_text(150)},
    ]
    for number in range(TURNS):
        answer = make_answer(number)
        yield messages, answer
        message = answer["choices"][0]["message"]
        passages = [{"id": f"doc-{_CHANCE.getrandbits(64):x}", "text": write_text(450)} for _ in range(3)]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": json.dumps(passages)}
        messages = [*messages, {name: message[name] for name in ("role", "content", "tool_calls")}, result]


def skip_checks() -> None:
    """Have the client send bodies as they are given, without what was not given."""
    completions: Any = importlib.import_module("openai.resources.chat.completions.completions")

    def select_given(body: dict[str, Any], _: object) -> dict[str, Any]:
        return {name: value for name, value in body.items() if type(value).__name__ not in ("Omit", "NotGiven")}

    completions.maybe_transform = select_given


class Agent:
    """The calls of one client, task after task."""

    def __init__(
        self,
        measures_gzip: bool = False,
        keeps_requests: bool = False,
        wait_s: float = 0.0,
        wrap: Callable[[Any], object] | None = None,
    ) -> None:
        self.measures_gzip = measures_gzip
        self.call_ns: list[int] = []  # processor time of this thread in each call
        self.clock_ns: list[int] = []
        self.requests: list[bytes] = []
        http = _http(WORKLOADS["openai"])
        self.wire_bytes = self.gzip_bytes = 0
        self._answer: dict[str, Any] = {}
        headers = {"content-type": "application/json", "x-request-id": "req_0123456789abcdef"}

        def answer(request: Any) -> Any:
            body = json.dumps(self._answer, separators=(",", ":")).encode()
            self.wire_bytes += len(request.content) + len(body)
            if self.measures_gzip:
                self.gzip_bytes += len(zlib.compress(request.content)) + len(zlib.compress(body))
            if keeps_requests:
                self.requests.append(request.content)
            if wait_s:
                time.sleep(wait_s)
            return http.Response(200, headers=headers, content=body)

        skip_checks()
        client = _api(WORKLOADS["openai"], 0, http.Client(transport=http.MockTransport(answer)))
        if wrap is not None:
            wrap(client)
        self._create = client.chat.completions.create

    def run_task(self) -> Iterator[None]:
        """Make the calls of one task, one at each step."""
        with task("support"):
            for messages, answer in write_task():
                self.call(messages, answer)
                yield

    def call(self, messages: list[dict[str, Any]], answer: dict[str, Any]) -> None:
        """Make one call, which the provider answers so."""
        self._answer = answer
        clock, start = time.perf_counter_ns(), time.thread_time_ns()
        self._create(model="gpt-x", temperature=0, messages=messages, tools=TOOLS)
        self.call_ns.append(time.thread_time_ns() - start)
        self.clock_ns.append(time.perf_counter_ns() - clock)


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


def measure_own_work(tasks: int) -> dict[str, str]:
    """Return the processor time that the caller spends on the recorder by itself: the recorder's thread does not run.

    Each call is made with and without, one behind the other.
    """
    with tempfile.TemporaryDirectory() as directory:
        with_recorder, without, agent = install(directory), install(None), Agent()
        writer = _get_writer(with_recorder)
        writer._start_token.clear()
        writer._is_idle = False  # there is nobody to wake
        times: dict[int, list[int]] = {id(with_recorder): [], id(without): []}
        for number in range(tasks):
            for turn, (messages, answer) in enumerate(write_task()):
                pair = (with_recorder, without) if (number + turn) % 2 else (without, with_recorder)
                for telemetry in pair:
                    use(telemetry)
                    agent.call_ns = times[id(telemetry)]
                    agent.call(messages, answer)
            writer._queue.clear()
            writer.queued_bytes = 0
        return describe_times(times[id(with_recorder)], times[id(without)])


def measure_caller(wait_s: float, tasks: int) -> dict[str, dict[str, str]]:
    """Return what the recorder adds to a call on the caller's thread while the writer works: processor time and clock.

    Tasks are made with and without in turn, with the same words, for the writer would work during the other call.

    Args:
        wait_s: That the provider takes to answer. The writer works meanwhile; if it is 0 both need the interpreter.
        tasks: How many are made with each.
    """
    with tempfile.TemporaryDirectory() as directory:
        with_recorder, without = install(directory), install(None)
        writer = _get_writer(with_recorder)
        agents = {id(with_recorder): Agent(wait_s=wait_s), id(without): Agent(wait_s=wait_s)}
        for number in range(tasks):
            words = _CHANCE.getstate()
            for telemetry in (with_recorder, without) if number % 2 else (without, with_recorder):
                _CHANCE.setstate(words)
                use(telemetry)
                for _ in agents[id(telemetry)].run_task():
                    pass
                while writer._queue:
                    time.sleep(0.01)
        assert writer.close(60)
        on, off = agents[id(with_recorder)], agents[id(without)]
        return {"cpu": describe_times(on.call_ns, off.call_ns), "clock": describe_times(on.clock_ns, off.clock_ns)}


def describe_times(with_it: Sequence[int], without: Sequence[int]) -> dict[str, str]:
    """Return the median of a call and of what is added to it."""
    return {"call, us": f"{statistics.median(without) / 1000:.0f}", "added, us": compare_times(with_it, without)}


def _get_writer(telemetry: _telemetry.Telemetry) -> writer_module.RecordWriter:
    assert telemetry._recorder is not None
    return telemetry._recorder.writer


def compare_times(with_it: Sequence[int], without: Sequence[int]) -> str:
    """Return the median of what calls take longer, and half of the width of the middle half, in microseconds."""
    added = [(first - second) / 1000 for first, second in zip(with_it, without, strict=True)]
    lower, median, upper = statistics.quantiles(added, n=4)
    return f"{median:.0f} ±{(upper - lower) / 2:.0f}"


def measure_rate(rate: int, seconds: float) -> dict[str, float]:
    """Return what became of calls at a steady rate from four threads: losses, and processor time of the writer."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry = install(directory)
        assert telemetry._recorder is not None
        writer = telemetry._recorder.writer
        use(telemetry)
        sent, deepest = [0], 0
        bodies = collect_bodies()
        start, cpu = time.monotonic(), time.process_time()
        while (now := time.monotonic() - start) < seconds:
            due = int(now * rate)
            while sent[0] < due:
                offer_call(telemetry, bodies[sent[0] % len(bodies)], sent[0])
                sent[0] += 1
            deepest = max(deepest, writer.queued_bytes)
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


def collect_bodies() -> list[tuple[bytes, bytes]]:
    """Return requests and answers of some tasks: at 500 a second the client would be what is measured."""
    bodies: list[tuple[bytes, bytes]] = []
    for _ in range(TASKS * 4):
        for messages, answer in write_task():
            body = {"messages": messages, "model": "gpt-x", "temperature": 0, "tools": TOOLS}
            bodies.append((json.dumps(body, separators=(",", ":")).encode(), json.dumps(answer).encode()))
    return bodies


def offer_call(telemetry: _telemetry.Telemetry, body: tuple[bytes, bytes], number: int) -> None:
    """Observe one call whose bytes are known."""
    from otel_agentops._observation import Observation
    from otel_agentops.operations import Answer, ModelCall

    sink = telemetry._recorder
    assert sink is not None
    observation = Observation(telemetry)
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
    parser.add_argument("--tasks", type=int, default=40, help="for caller")
    options = parser.parse_args()
    Instrumentor().instrument(skip_dep_check=True)
    if "bytecodes" in options.what:  # before an `Agent` has the client skip a part of its work
        print("bytecodes", measure_bytecodes())
    if "bytes" in options.what:
        print("busy", measure_bytes(is_idle=False))
        print("idle", measure_bytes(is_idle=True))
    if "caller" in options.what:
        print("caller by itself", measure_own_work(options.tasks))
        print("caller, answered at once", measure_caller(0, options.tasks))
        print("caller, answered in 20 ms", measure_caller(0.02, options.tasks // 4))
    if "rate" in options.what:
        print("rate", measure_rate(options.rate, options.seconds))


if __name__ == "__main__":
    main()
