"""Servers are ready when their block is entered, gone when it is left, and say why where they do not come up."""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import stack
from otel_agentops.prometheus_api import PrometheusError

TALKS = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('up', flush=True); signal.pause()"
)
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


def server(tmp_path: Path, code: str) -> stack.Server:
    return stack.Server("it", [sys.executable, "-c", code], tmp_path / "it.log", {"X": "1"})


def test_server_is_waited_for_and_stopped(tmp_path: Path) -> None:
    it = server(tmp_path, TALKS)
    it.wait_until(lambda: "up" in it.output)
    assert it.stop() == 7
    assert it.output == "up\n"


def test_stubborn_server_is_killed(tmp_path: Path) -> None:
    it = server(tmp_path, STUBBORN)
    it.wait_until(lambda: "up" in it.output)
    assert it.stop(seconds=0.2) == -9


def test_server_that_exits_early_reports_its_log(tmp_path: Path) -> None:
    it = server(tmp_path, "import os; print('no', os.environ['X']); exit(3)")
    with pytest.raises(stack.NotReadyError, match=r"it ended with 3, its log is .*it\.log:\nno 1"):
        it.wait_until(lambda: False)


def test_late_server_is_reported(tmp_path: Path) -> None:
    it = server(tmp_path, TALKS)
    with pytest.raises(stack.NotReadyError, match="it is not ready"):
        it.wait_until(lambda: False, seconds=0.2)
    it.stop()


def test_ports_are_free_and_different() -> None:
    ports = stack.free_ports(20)
    assert len(set(ports)) == 20
    assert not any(stack._listens(port) for port in ports)


@pytest.mark.collector
def test_collector_stops_with_its_block(otelcol: Path, tmp_path: Path) -> None:
    with stack.collector([stack.BASE, stack.OVERLAY], tmp_path) as running:
        assert running.process.poll() is None
        assert running.scrape() == []
    assert running.process.poll() == 0


@pytest.mark.collector
def test_collector_serves_its_own_metrics_on_a_free_port(otelcol: Path, tmp_path: Path) -> None:
    """Its config names a port that another program has; 8888, the default, is such a port beside another collector."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        reader = f"{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {other.getsockname()[1]}}}}}}}}}"
        configs: list[Path | str] = [
            stack.BASE,
            stack.OVERLAY,
            f"yaml:service::telemetry::metrics::readers: [{reader}]",
        ]
        with stack.collector(configs, tmp_path) as running:
            assert "otelcol_process_uptime" in httpx.get(running.internal).raise_for_status().text


@pytest.mark.collector
def test_wrong_config_is_quoted_from_the_collector(otelcol: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(stack.NotReadyError, match=r'(?s)collector ended with 1.*references processor "nothing"'),
        stack.collector([stack.BASE, "yaml:service::pipelines::traces::processors: [nothing]"], tmp_path),
    ):
        pass


@pytest.mark.collector
def test_prometheus_answers_queries(prometheus: Path, tmp_path: Path) -> None:
    with stack.prometheus(["127.0.0.1:9"], [], tmp_path) as running:
        assert running.query("vector(7)") == [({}, 7.0)]
        assert running.client.list_alerts() == []
        with pytest.raises(PrometheusError, match=r"Prometheus answers: .*parse error"):
            running.query("sum(")


@pytest.mark.collector
def test_wrong_rule_is_quoted_from_prometheus(prometheus: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]")
    with (
        pytest.raises(stack.NotReadyError, match=r"(?s)prometheus ended with .*parse error"),
        stack.prometheus([], [rules], tmp_path),
    ):
        pass
