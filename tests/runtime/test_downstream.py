"""The request that failed below a tool or a retrieval is on their spans, with its peer and its status."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.trace import SpanKind, StatusCode

from otel_agentops import _task_values, retrieval, task, tool
from otel_agentops.testing import Capture

DOWNSTREAM = "otel_agentops.downstream."


class _Status(BaseHTTPRequestHandler):
    """Answers with the status that is the path."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def search() -> Iterator[str]:
    """The address of a search that fails as it is asked to."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(params=["", "http"], ids=["convention of before", "convention of now"])
def http(request: pytest.FixtureRequest, seen: Capture, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    monkeypatch.setattr(
        "opentelemetry.instrumentation._semconv._OpenTelemetrySemanticConventionStability._initialized", False
    )
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=seen.tracer_provider, meter_provider=seen.meter_provider)
    with httpx.Client() as client:
        yield client
    instrumentor.uninstrument()


@pytest.fixture(autouse=True)
def _forget_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_task_values, "_last_uses", {})


def read_downstream(seen: Capture, name: str) -> dict[str, object]:
    """Return the failed request of the last span of a name."""
    attributes = [one["attributes"] for one in seen.spans if one["name"] == name][-1]
    return {key.removeprefix(DOWNSTREAM): value for key, value in attributes.items() if key.startswith(DOWNSTREAM)}


def list_task_values(seen: Capture) -> list[str]:
    (root,) = (one["attributes"] for one in seen.spans if "otel_agentops.task.outcome" in one["attributes"])
    return [value for value in root.get("otel_agentops.task.values", []) if value.startswith("downstream/")]


def test_failed_request_is_on_all_that_it_is_part_of(seen: Capture, http: httpx.Client, search: str) -> None:
    with task("support"), tool("search_help"), retrieval("help-pages"):
        http.get(f"{search}/503")
    for name in ("retrieval help-pages", "execute_tool search_help"):
        assert read_downstream(seen, name) == {"name": "localhost", "status": "503"}
    assert list_task_values(seen) == [
        "downstream/search_help=localhost 503",
        "downstream/help-pages=localhost 503",
    ]


def test_request_below_another_span_is_found(seen: Capture, http: httpx.Client, search: str) -> None:
    steps = seen.tracer_provider.get_tracer("the.application")
    with task("support"), retrieval("help-pages"), steps.start_as_current_span("embed and search"):
        http.get(f"{search}/504")
    assert read_downstream(seen, "retrieval help-pages") == {"name": "localhost", "status": "504"}
    assert read_downstream(seen, "embed and search") == {}


def test_refused_connection_has_an_error_as_its_status(seen: Capture, http: httpx.Client) -> None:
    with task("support"), pytest.raises(httpx.ConnectError), tool("lookup"):
        http.get("http://127.0.0.1:9/orders/17?key=secret")
    told = read_downstream(seen, "execute_tool lookup")
    assert told["name"] == "127.0.0.1"
    assert told["status"] in ("ConnectError", "httpx.ConnectError", "error")
    assert "secret" not in json.dumps(told)


def test_request_that_succeeds_or_is_elsewhere_tells_nothing(seen: Capture, http: httpx.Client, search: str) -> None:
    with task("support"):
        with tool("lookup"):
            http.get(f"{search}/200")
        http.get(f"{search}/503")
    assert read_downstream(seen, "execute_tool lookup") == {}
    assert list_task_values(seen) == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"},
        {"openinference.span.kind": "TOOL", "gen_ai.tool.name": "lookup"},
    ],
)
def test_tool_of_a_framework_has_it_too(
    seen: Capture, http: httpx.Client, search: str, attributes: dict[str, str]
) -> None:
    framework = seen.tracer_provider.get_tracer("some.framework")
    with task("support"), framework.start_as_current_span("tool", attributes=attributes):
        http.get(f"{search}/503")
    assert read_downstream(seen, "tool") == {"name": "localhost", "status": "503"}


@pytest.mark.parametrize(
    ("attributes", "name", "status"),
    [
        ({"peer.service": "search", "server.address": "10.0.0.7", "error.type": "timeout"}, "search", "timeout"),
        (
            {"server.address": "db.internal", "db.system.name": "postgresql", "error.type": "57014"},
            "db.internal",
            "57014",
        ),
        ({"net.peer.name": "grpc.internal", "rpc.system": "grpc"}, "grpc.internal", "error"),
        (
            {"http.url": "https://user:word@search.internal:8443/v1?q=x", "http.status_code": 502},
            "search.internal",
            "502",
        ),
        ({"error.type": "timeout"}, None, None),
    ],
)
def test_peer_is_a_name_without_port_and_path(
    seen: Capture, attributes: dict[str, str | int], name: str | None, status: str | None
) -> None:
    client = seen.tracer_provider.get_tracer("some.client")
    with task("support"), tool("lookup"):
        span = client.start_span("call", kind=SpanKind.CLIENT, attributes=attributes)
        span.set_status(StatusCode.ERROR)
        span.end()
    assert read_downstream(seen, "execute_tool lookup") == ({"name": name, "status": status} if name else {})


def test_too_many_peers_of_a_tool_are_others(seen: Capture) -> None:
    client = seen.tracer_provider.get_tracer("some.client")
    for number in range(25):
        with task("support"), tool("lookup"):
            attributes = {"server.address": f"10.0.0.{number}", "error.type": "timeout"}
            span = client.start_span("call", kind=SpanKind.CLIENT, attributes=attributes)
            span.set_status(trace.Status(StatusCode.ERROR))
            span.end()
    assert read_downstream(seen, "execute_tool lookup") == {"name": "other", "status": "timeout"}
    values = {
        value
        for one in seen.spans
        for value in one["attributes"].get("otel_agentops.task.values", [])
        if value.startswith("downstream/")
    }
    assert len(values) == 21
