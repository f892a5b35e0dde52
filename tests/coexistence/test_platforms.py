"""Beside Langfuse, OpenLLMetry and Phoenix: our lines of docs/coexistence.md, over the real packages.

One call is one span of a model call. It goes where it went before with all that it had, and to our collector as well.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agentops.testing.fake_provider import FakeProvider

if os.environ.get("AGENTOPS_END") != "coexistence" and importlib.util.find_spec("traceloop") is None:
    pytest.skip('traceloop-sdk is not here: `make ends ARGS="--client coexistence"`', allow_module_level=True)

HERE = Path(__file__).parent
SETTINGS = {  # of their server
    "Langfuse": {"LANGFUSE_PUBLIC_KEY": "k", "LANGFUSE_SECRET_KEY": "k", "LANGFUSE_BASE_URL": "{url}"},
    "OpenLLMetry": {"TRACELOOP_API_KEY": "k", "TRACELOOP_BASE_URL": "{url}", "TRACELOOP_TELEMETRY": "false"},
    # Phoenix takes the port of an address in the environment for that of its pages.
    "Phoenix": {"PHOENIX_COLLECTOR_ENDPOINT": "{url}/v1/traces", "PHOENIX_GRPC_PORT": "{port}"},
}
Span = dict[str, Any]
platforms = pytest.mark.parametrize("platform", SETTINGS)


class Sent(NamedTuple):
    """The spans of one call of the application.

    Attributes:
        theirs: Those that the platform got.
        ours: Those that our collector got.
    """

    theirs: list[Span]
    ours: list[Span]


class Backend(ThreadingHTTPServer):
    """A server that keeps the spans that are posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BackendRequest)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans: list[Span] = []


class BackendRequest(BaseHTTPRequestHandler):
    """One request of an exporter."""

    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/traces"):
            if self.headers["content-encoding"] == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.server.spans += map(describe_span, scope.spans)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def describe_span(span: Any) -> Span:
    attributes = {each.key: next(iter(MessageToDict(each.value).values()), None) for each in span.attributes}
    return {"id": span.span_id.hex(), "name": span.name, "attributes": attributes}


@contextmanager
def serve_backend() -> Iterator[Backend]:
    backend = Backend()
    thread = threading.Thread(target=backend.serve_forever)
    thread.start()
    try:
        yield backend
    finally:
        backend.shutdown()
        thread.join()
        backend.server_close()


@functools.cache
def run_platform(platform: str, *only: str) -> Sent:
    """Make one call in an application of the platform."""
    with serve_backend() as theirs, serve_backend() as ours, FakeProvider() as provider:
        provider.alias("gpt-x", "gpt-x-2026-03-01")
        settings = {
            key: value.format(url=theirs.url, port=theirs.server_port) for key, value in SETTINGS[platform].items()
        }
        ended = subprocess.run(
            [sys.executable, HERE / "platform_program.py", platform, provider.openai_url, *only],
            env={**os.environ, **settings, "OTEL_EXPORTER_OTLP_ENDPOINT": ours.url, "OTEL_AGENTOPS_STRICT": "1"},
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        assert len(provider.requests) == 1
        return Sent(theirs.spans, ours.spans)


@platforms
def test_call_has_one_span_with_our_identity(platform: str) -> None:
    (span,) = [span for span in run_platform(platform).ours if "otel_agentops.prompt.hash" in span["attributes"]]
    expected = {
        "gen_ai.response.model": "gpt-x-2026-03-01",
        "otel_agentops.model.resolution": "resolved",
        "otel_agentops.prompt.source": "instructions",
        "otel_agentops.attempt.count": "1",
        "gen_ai.usage.input_tokens": "11",
    }
    assert expected.items() <= span["attributes"].items()


@platforms
def test_tokens_are_counted_once(platform: str) -> None:
    spans = run_platform(platform).ours
    assert len([span for span in spans if "gen_ai.usage.input_tokens" in span["attributes"]]) == 1


@platforms
def test_their_backend_gets_what_it_got_before(platform: str) -> None:
    before, after = run_platform(platform, "theirs").theirs, run_platform(platform).theirs
    assert [span["name"] for span in before] == [span["name"] for span in after]
    for old, new in zip(before, after, strict=True):
        assert old["attributes"].keys() <= new["attributes"].keys()
    assert before, "it got the span of the call"


@platforms
def test_our_collector_gets_a_copy_of_every_span(platform: str) -> None:
    sent = run_platform(platform)
    assert {span["id"] for span in sent.ours} == {span["id"] for span in sent.theirs}
