"""One client beside each of its peers, in both orders: a child for each, forked when everything is imported.

    python tests/coexistence/subject_cell.py groq [alone]    prints {"OpenLLMetry, ours": {"sync chat": {...}, ...}}

An import costs a second or two and an installation milliseconds; nothing that one child patches is left for the next.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import _deferred_work, task
from otel_agentops.testing.contract import await_result as done
from otel_agentops.testing.subject import MODEL, RESOLVED, TOOL, ChatRequest, Subject, load

CLIENTS = Path(__file__).parents[1] / "clients"
TASK = "matrix"


def ways(subject: Subject) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """The calls of the matrix: way and how it is made."""
    asked = ChatRequest(tools=[] if "tools" in subject.missing else [TOOL])
    yield "chat", lambda client: subject.chat(client, asked)
    if "stream" not in subject.missing:
        yield "stream", lambda client: subject.stream(client, asked)
    if "embed" not in subject.missing:
        yield "embed", lambda client: subject.embed(client, ["hi"])


class Cell:
    """The global providers of this process, and what they saw since the last look."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))

    def look(self) -> list[dict[str, Any]]:
        """The spans below the task; they are then forgotten."""
        _deferred_work.run_deferred()
        found = [span for span in self.spans.get_finished_spans() if TASK not in span.name]
        self.spans.clear()
        return [
            {
                "scope": span.instrumentation_scope.name,
                "name": span.name,
                "attributes": {
                    key: list(value) if isinstance(value, tuple) else value for key, value in span.attributes.items()
                },
            }
            for span in found
        ]


async def read(stream: Any, kind: str) -> None:
    """Read a stream to its end; by the kind of client, because the stream of a peer claims to be both."""
    if kind == "async":
        async for _ in stream:
            pass
    else:
        for _ in stream:
            pass


async def calls(subject: Subject, kind: str, cell: Cell, provider: Any) -> dict[str, Any]:
    """What each way makes with one kind of client."""
    client, found = subject.client(kind, provider), {}
    for way, make in ways(subject):
        said = None
        with task(TASK, id=way, segment="eu"):
            try:
                result = await done(make(client))
                if way == "stream":
                    await read(result, kind)
                del result
            except Exception:  # noqa: BLE001  a peer may break a call: that is a result
                said = traceback.format_exc()
        found[f"{kind} {way}"] = {"error": said, "spans": cell.look()}
    await done(subject.close(client))
    return found


def beside(subject: Subject, installed: list[Any]) -> dict[str, Any]:
    """What every call makes when these are installed in this order."""
    cell, found = Cell(), {}
    for instrumentor in installed:
        instrumentor().instrument()
    with subject.serve() as provider:
        provider.alias(MODEL, RESOLVED)
        for kind in subject.kinds:
            found |= asyncio.run(calls(subject, kind, cell, provider))
    return found


def in_a_child(work: Callable[[], Any]) -> Any:
    """What a function gives in a fork of this process."""
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
    with os.fdopen(reading) as given:
        text = given.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"
    return json.loads(text)


def main() -> None:
    logging.disable()  # of peers that report what they do not support
    subject = load(CLIENTS / sys.argv[1])
    ours: Any = type(subject.instrumentor())
    found = {"alone": in_a_child(lambda: beside(subject, [ours]))}
    for title, where in subject.peers.items() if "alone" not in sys.argv else ():
        module, _, name = where.partition(":")
        theirs = getattr(import_module(module), name)
        found[f"{title}, ours"] = in_a_child(lambda theirs=theirs: beside(subject, [ours, theirs]))
        found[f"{title}, theirs"] = in_a_child(lambda theirs=theirs: beside(subject, [theirs, ours]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
