"""The client of Prometheus: typed answers, and one sentence for everything else that may come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from otel_agentops.prometheus_api import Alert, AlertRule, Exemplar, PrometheusClient, PrometheusError, Sample, Series

UP = {"__name__": "up"}
ANSWERS: dict[str, Any] = {
    "/api/v1/query": {"result": [{"metric": UP, "value": [1, "2.5"]}]},
    "/api/v1/query_range": {"result": [{"metric": UP, "values": [[1, "2"], [3.5, "4"]]}]},
    "/api/v1/query_exemplars": [{"exemplars": [{"labels": {"trace_id": "t"}, "value": "1", "timestamp": 2}]}],
    "/api/v1/alerts": {"alerts": [{"labels": {"alertname": "a"}, "annotations": {"summary": "s"}, "state": "firing"}]},
    "/api/v1/rules": {
        "groups": [
            {
                "rules": [
                    {"type": "recording", "name": "r", "query": "up"},
                    {"type": "alerting", "name": "a", "labels": {"owner": "o"}, "annotations": {"summary": "s"}},
                ]
            }
        ]
    },
}


class Handler(BaseHTTPRequestHandler):
    """A Prometheus with fixed answers, which keeps what it was sent."""

    queries: list[dict[str, list[str]]] = []
    body: str | None = None
    status = 200

    def do_POST(self) -> None:
        self.queries.append(parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()))
        self.do_GET()

    def do_GET(self) -> None:
        body = self.body or json.dumps({"status": "success", "data": ANSWERS.get(self.path)})
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(**settings: object) -> Iterator[tuple[PrometheusClient, type[Handler]]]:
    """Run a server on a free port and a client of it."""
    handler = type("Settings", (Handler,), {"queries": [], **settings})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with closing(PrometheusClient(f"http://127.0.0.1:{server.server_port}/")) as client:
            yield client, handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("ask", "answer", "parameters"),
    [
        (lambda client: client.query_instant("up"), [Sample(UP, 2.5)], {"query": ["up"]}),
        (lambda client: client.query_instant("up", 5.5), [Sample(UP, 2.5)], {"query": ["up"], "time": ["5.5"]}),
        (
            lambda client: client.query_range("up", 1, 4, 2),
            [Series(UP, [(1, 2), (3.5, 4)])],
            {"query": ["up"], "start": ["1"], "end": ["4"], "step": ["2"]},
        ),
        (
            lambda client: client.query_exemplars("up", 1, 4),
            [Exemplar({"trace_id": "t"}, 1, 2)],
            {"query": ["up"], "start": ["1"], "end": ["4"]},
        ),
        (lambda client: client.list_alerts(), [Alert({"alertname": "a"}, {"summary": "s"}, "firing")], None),
        (lambda client: client.list_alert_rules(), [AlertRule("a", {"owner": "o"}, {"summary": "s"})], None),
    ],
)
def test_an_answer_is_typed(
    ask: Callable[[PrometheusClient], object], answer: object, parameters: dict[str, list[str]] | None
) -> None:
    with serve() as (client, handler):
        assert ask(client) == answer
        assert handler.queries == ([parameters] if parameters else [])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"body": '{"status": "error", "error": "parse error"}', "status": 400}, "Prometheus answers: parse error"),
        ({"body": "<html>", "status": 502}, "does not answer like a Prometheus (HTTP 502)"),
        ({"body": "[]"}, "does not answer like a Prometheus (HTTP 200)"),
        ({"body": '{"status": "success", "data": {}}'}, "does not answer like a Prometheus (HTTP 200)"),
    ],
)
def test_everything_else_is_one_sentence(settings: dict[str, object], sentence: str) -> None:
    with serve(**settings) as (client, _), pytest.raises(PrometheusError) as error:
        client.query_instant("up")
    assert str(error.value) == f"{client.url}: {sentence}"
