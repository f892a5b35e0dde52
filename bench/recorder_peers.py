"""The flight recorder beside two others of its kind: bytes a call, time on the caller's thread, what can be rebuilt.

    uv run --with backspin==0.5.1 --with mnestiq==0.5.0 python -m bench.recorder_peers [--tasks 10] [--seconds 20]

One process, one workload (bench/recorder.py), through the whole OpenAI client. The columns take turns task by task with
the same words, and a call is compared with the same call of the column without a recorder. `otel-agentops` is compared
with itself without a recorder, for its spans are no part of the recorder; `with spans` is what both cost together.

A request can be rebuilt if what was recorded gives the bytes that were sent, by their SHA-256; for a package that keeps
objects they are written as the client writes JSON. The rate test hands calls over whose bytes, or objects, are known.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench import recorder as workload
from bench.recorder import Agent, compare_times, install, use
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.recorder.entries import Call
from otel_agentops.recorder.reading import open_records, read_request

PACKAGES = {"backspin": "0.5.1", "mnestiq": "0.5.0"}
NONE, SPANS, OURS = "none", "spans", "otel-agentops"


class Peer:
    """A package that records calls into a directory; this one is none, and records nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._telemetry = install(None)

    def begin(self) -> None:
        """Have the calls that follow observed by it alone."""
        use(self._telemetry)
        if Instrumentor().is_instrumented_by_opentelemetry:
            Instrumentor().uninstrument()

    def wrap(self, client: Any) -> None:
        """Have the calls of a client recorded."""

    def record(self, request: bytes, answer: bytes) -> None:
        """Record a call that somebody else has made."""

    def close(self) -> None:
        """Have everything on disk."""

    def rebuild(self) -> Iterator[bytes | dict[str, Any]]:
        """Yield the requests of all calls in order: bytes, or the JSON object that was kept in their place."""
        return iter(())


class Spans(Peer):
    """otel-agentops without its recorder."""

    def begin(self) -> None:
        """Have the calls that follow observed by it alone."""
        if not Instrumentor().is_instrumented_by_opentelemetry:
            Instrumentor().instrument(skip_dep_check=True)
        use(self._telemetry)


class Ours(Spans):
    """otel-agentops with its recorder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._telemetry = install(str(root))
        self._count = 0

    def record(self, request: bytes, answer: bytes) -> None:
        """Record a call that somebody else has made."""
        workload.offer_call(self._telemetry, (request, answer), self._count)
        self._count += 1

    def close(self) -> None:
        """Have everything on disk."""
        assert self._telemetry._recorder is not None
        assert self._telemetry._recorder.writer.close(60)

    def rebuild(self) -> Iterator[bytes | dict[str, Any]]:
        """Yield the requests of all calls, in order."""
        return (read_request(entry) or b"" for entry in open_records(self.root) if isinstance(entry, Call))


class Backspin(Peer):
    """backspin: a JSON line a call, with the arguments of the method and the answer."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._recorder = importlib.import_module("backspin").Recorder(str(root))

    def wrap(self, client: Any) -> None:
        """Have the calls of a client recorded."""
        self._recorder.capture_openai(client)

    def record(self, request: bytes, answer: bytes) -> None:
        """Record a call that somebody else has made."""
        asked, answered = json.loads(request), json.loads(answer)
        self._recorder.record_llm(request=asked, response=answered, usage=answered["usage"], model=asked["model"])

    def close(self) -> None:
        """Have everything on disk."""
        self._recorder.close()

    def rebuild(self) -> Iterator[bytes | dict[str, Any]]:
        """Yield the requests of all calls, in order."""
        for event in importlib.import_module("backspin.runfile").load_run(self._recorder.path).llm_calls():
            yield event["request"]


class Mnestiq(Peer):
    """mnestiq: a chain of canonical JSON lines, signed each hundred; tools that are offered are not recorded."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        mnestiq, keys = importlib.import_module("mnestiq"), importlib.import_module("mnestiq.keys")
        self._openai = importlib.import_module("mnestiq.integrations.openai")
        self._file = root / "evidence.jsonl"
        sink = importlib.import_module("mnestiq.sinks").FileSink(self._file)
        self._recorder = mnestiq.Recorder(sink, agent_id="support", signing_key=keys.generate_private_key())
        self._stack = ExitStack()
        self._run = self._stack.enter_context(self._recorder.run())

    def wrap(self, client: Any) -> None:
        """Have the calls of a client recorded."""
        self._openai.instrument_openai(client, self._recorder)

    def record(self, request: bytes, answer: bytes) -> None:
        """Record a call that somebody else has made."""
        asked, answered = json.loads(request), json.loads(answer)
        segments = self._openai.chat_segments(asked["messages"], {})
        output = answered["choices"][0]["message"]
        self._run.llm_call(provider="openai", model=asked["model"], context=segments, output=output)

    def close(self) -> None:
        """Have everything on disk."""
        self._stack.close()
        self._recorder.close()

    def rebuild(self) -> Iterator[bytes | dict[str, Any]]:
        """Yield the requests of all calls, in order, as far as they are there."""
        for line in self._file.read_bytes().splitlines():
            event = json.loads(line)
            if event.get("event_type") == "llm_call":
                messages = [
                    part["content"] if part["source"] == "model" else {"role": part["role"], "content": part["content"]}
                    for part in event["context"]
                ]
                yield {"messages": messages, "model": event["model"]["name"], **event["model"].get("params", {})}


COLUMNS: dict[str, type[Peer]] = {NONE: Peer, SPANS: Spans, OURS: Ours, "backspin": Backspin, "mnestiq": Mnestiq}


def write_body(body: bytes | dict[str, Any], sent: bytes) -> bytes:
    """Return a body; of an object what the client would send, which orders the members by itself."""
    if isinstance(body, bytes):
        return body
    ordered = {name: body[name] for name in json.loads(sent) if name in body}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def measure_size(root: Path) -> int:
    """Return the bytes of all files in a directory."""
    return sum(file.stat().st_size for file in root.rglob("*") if file.is_file())


def compare_calls(root: Path, tasks: int) -> dict[str, dict[str, float | str]]:
    """Return the figures of each column from tasks that go through all of them in turn."""
    peers = {name: make(make_folder(root / name)) for name, make in COLUMNS.items()}
    agents = {name: Agent(keeps_requests=True, wrap=peer.wrap) for name, peer in peers.items()}
    names = list(peers)
    for number in range(tasks):
        words = workload._CHANCE.getstate()
        for name in names[number % len(names) :] + names[: number % len(names)]:
            workload._CHANCE.setstate(words)  # all say the same
            peers[name].begin()
            for _ in agents[name].run_task():
                pass
    rows: dict[str, dict[str, float | str]] = {}
    for name, peer in peers.items():
        peer.close()
        without = agents[SPANS if name == OURS else NONE].call_ns
        sent = agents[name].requests
        if name in (NONE, SPANS):
            continue
        rows[name] = {
            "bytes/call": measure_size(peer.root) / len(sent),
            "added, us": compare_times(agents[name].call_ns, without),
            "with spans, us": compare_times(agents[name].call_ns, agents[NONE].call_ns),
            "rebuilt, of calls": count_rebuilt(sent, peer.rebuild()),
        }
    return rows


def make_folder(path: Path) -> Path:
    """Return a directory that is there now."""
    path.mkdir(parents=True)
    return path


def count_rebuilt(sent: list[bytes], rebuilt: Iterator[bytes | dict[str, Any]]) -> str:
    """Return of how many calls the request that was sent can be rebuilt."""
    pairs = zip(sent, rebuilt, strict=True)
    same = sum(sha256(request).digest() == sha256(write_body(body, request)).digest() for request, body in pairs)
    return f"{same}/{len(sent)}"


def compare_rates(root: Path, rate: int, seconds: float) -> dict[str, dict[str, float | str]]:
    """Return what becomes of calls that come at a steady rate, from one thread."""
    bodies = workload.collect_bodies()
    rows: dict[str, dict[str, float | str]] = {}
    for name in (OURS, *PACKAGES):
        peer = COLUMNS[name](make_folder(root / f"{name}-rate"))
        peer.begin()
        sent, start, used = 0, time.monotonic(), time.thread_time()
        while (now := time.monotonic() - start) < seconds:
            if sent >= int(now * rate):
                time.sleep(0.002)
                continue
            peer.record(*bodies[sent % len(bodies)])
            sent += 1
        elapsed, used = time.monotonic() - start, time.thread_time() - used
        peer.close()
        rows[name] = {
            "calls/s": sent / elapsed,
            "caller's thread, % of a core": 100 * used / elapsed,
            "lost": sent - sum(1 for _ in peer.rebuild()),
        }
    return rows


def print_rows(rows: dict[str, dict[str, float | str]]) -> None:
    """Print a table, one column a package."""
    names = list(rows)
    print(" " * 30 + "".join(f"{name:>16}" for name in names))
    for title in rows[names[0]]:
        cells = (rows[name][title] for name in names)
        print(f"{title:30}" + "".join(f"{cell if isinstance(cell, str) else f'{cell:,.0f}':>16}" for cell in cells))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    for name, version in PACKAGES.items():
        if (installed := importlib.metadata.version(name)) != version:
            print(f"{name}: {installed} is installed, the figures in the docs are of {version}")
    with tempfile.TemporaryDirectory() as directory:
        print_rows(compare_calls(Path(directory), options.tasks))
        print_rows(compare_rates(Path(directory), options.rate, options.seconds))


if __name__ == "__main__":
    main()
