"""A store that takes OTLP over HTTP and keeps what came: paths, headers and decoded requests."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


class Request(NamedTuple):
    """One request. signal: traces, logs or metrics. body: as OTLP's JSON."""

    signal: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Sink:
    """Requests that came so far, and the URL to which they are sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []

    def of(self, signal: str) -> list[Request]:
        return [request for request in list(self.requests) if request.signal == signal]

    def wait_for(self, seen: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if seen():
                return
            time.sleep(0.05)
        raise AssertionError(f"not seen in {[(one.signal, one.path) for one in self.requests]}")


@contextmanager
def sink() -> Iterator[Sink]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                data = gzip.decompress(data)
            signal = self.path.rpartition("/")[2]
            body = MessageToDict(KINDS[signal].FromString(data))
            headers = {key.lower(): value for key, value in self.headers.items()}
            found.requests.append(Request(signal, self.path, headers, body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Sink(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span, a resource, a scope or a point."""
    return {one["key"]: next(iter(one["value"].values()), None) for one in record.get("attributes", ())}


def leaves(request: Request) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The resource and each span, log record or metric of it."""
    one = {"traces": ("resourceSpans", "scopeSpans", "spans"), "logs": ("resourceLogs", "scopeLogs", "logRecords")}
    outer, inner, leaf = one.get(request.signal, ("resourceMetrics", "scopeMetrics", "metrics"))
    for resource in request.body.get(outer, ()):
        for scope in resource.get(inner, ()):
            for record in scope.get(leaf, ()):
                yield resource.get("resource", {}), record
