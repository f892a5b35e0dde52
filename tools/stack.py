"""The servers of a run, such as a collector and Prometheus: processes on free ports, ready when the block is entered.

with stack.collector([base, overlay], directory) as collector:
    send_to(collector.otlp)
    collector.scrape()
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import toolchain
from otel_agentops import prometheus_api
from otel_agentops.prometheus_api import PrometheusClient

ROOT = Path(__file__).resolve().parents[1]
OVERLAY = ROOT / "collector-config" / "otel-agentops.yaml"
PROMISES = ROOT / "backends" / "collector" / "otel-agentops.slo.yaml"  # behind the overlay: what slo/ promises
BASE = ROOT / "collector-config" / "examples" / "base.yaml"

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


class NotReadyError(Exception):
    """A server that ended, or did not come up in time; the text holds the end of its log."""


class Sample(NamedTuple):
    """One line of a scrape; `exemplar` has the labels of its exemplar, if there is one."""

    name: str
    labels: Mapping[str, str]
    value: float
    exemplar: Mapping[str, str] | None

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Return True if this is a series of that name with at least these labels."""
        return self.name == name and labels.items() <= self.labels.items()


class Server:
    """A child process and its log."""

    address: str

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, variables: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._command = list(map(str, command))
        self._variables = variables
        log.write_text("")
        self.start()

    def start(self) -> None:
        """Start the process."""
        with self.log.open("a") as output:
            # A session of its own: Ctrl-C reaches us alone, and the parts end in order, who sends before who receives.
            self.process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._variables},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """The whole log."""
        return self.log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        """Return as soon as it is ready.

        Raises:
            NotReadyError: It ended, or is not ready in time.
        """
        self._ready = ready
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            if ready():
                return
            time.sleep(0.05)
        code = self.process.poll()
        state = "is not ready" if code is None else f"ended with {code}"
        lines = self.output.splitlines()
        text = "\n".join([line for line in lines if re.search(r"level=error|\terror\t", line)][-6:] or lines[-6:])
        raise NotReadyError(f"{self.name} {state}, its log is {self.log}:\n{text}")

    def start_again(self) -> None:
        """Start a stopped process on the same ports, with the same storage, and wait until it is ready.

        Raises:
            NotReadyError: It ended, or is not ready in time.
        """
        self.start()
        self.wait_until(self._ready)

    def stop(self, seconds: float = 10) -> int:
        """End the process, in order if it does so in time, and return the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Collector(Server):
    """A running collector with the overlay.

    Attributes:
        otlp: URL of the receiver of OTLP/HTTP.
        metrics: URL that Prometheus scrapes.
        internal: URL of the collector's own metrics.
    """

    otlp: str
    metrics: str
    internal: str

    def scrape(self) -> list[Sample]:
        """Return the overlay's metrics as they are now."""
        return scrape(self.metrics)


class Prometheus(Server):
    """A running Prometheus, and a client of its HTTP API."""

    url: str
    client: PrometheusClient

    def query(self, expression: str, at: float | None = None) -> list[prometheus_api.Sample]:
        """Return labels and value of each series of an instant query."""
        return self.client.query_instant(expression, at)


@contextmanager
def collector(
    configs: Sequence[Path | str],
    directory: Path,
    variables: Mapping[str, str] | None = None,
    name: str = "collector",
    flags: Sequence[str] = (),
) -> Iterator[Collector]:
    """Run a collector on free ports, which its configs take from the environment as base.yaml does.

    Args:
        configs: Files, or other values of `--config`.
        directory: Folder of the log.
        variables: Further environment variables.
        name: Name of the log.
        flags: Further flags, such as `--feature-gates=…`.

    Raises:
        UnavailableError: There is no collector.
        NotReadyError: It ended, or is not ready in time.
    """
    binary = toolchain.find("otelcol")
    otlp, metrics, internal, grpc = free_ports(4)
    ports = {
        "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{otlp}",
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc}",
        "OTEL_AGENTOPS_PROM_ENDPOINT": f"127.0.0.1:{metrics}",
        "OTEL_AGENTOPS_FLUSH": "1s",
    }
    # Port 8888 is the default of every collector, and two cannot have it; the last config wins.
    every = [*configs, _OWN_METRICS.format(port=internal)]
    command: list[str | Path] = [binary, *(f"--config={config}" for config in every), *flags]
    server = Collector(name, command, directory / f"{name}.log", {**ports, **(variables or {})})
    server.otlp = f"http://127.0.0.1:{otlp}"
    server.metrics = f"http://127.0.0.1:{metrics}/metrics"
    server.internal = f"http://127.0.0.1:{internal}/metrics"
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.wait_until(lambda: _listens(otlp))  # receivers are started last
        yield server


_OWN_METRICS = (
    "yaml:service::telemetry::metrics::readers: "
    "[{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}}}]"
)


@contextmanager
def prometheus(
    targets: Sequence[str],
    rules: Sequence[Path],
    directory: Path,
    interval: str = "1s",
    name: str = "prometheus",
    flags: Sequence[str] = (),
    itself: bool = False,
    alertmanagers: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """Run a Prometheus on a free port that scrapes, evaluates rules and keeps exemplars.

    Args:
        targets: What it scrapes, as host:port.
        rules: Files of rules.
        directory: Folder of the log, the config and the storage.
        interval: Time between scrapes and between evaluations.
        name: Name of the log.
        flags: Further flags.
        itself: True if it scrapes itself as well.
        alertmanagers: Where it sends alerts to, as host:port.

    Raises:
        UnavailableError: There is no Prometheus.
        NotReadyError: It ended, or is not ready in time.
    """
    binary = toolchain.find("prometheus")
    (port,) = free_ports(1)
    config = directory / f"{name}.yml"
    scraped = [*targets, *([f"127.0.0.1:{port}"] if itself else [])]
    config.write_text(
        _PROMETHEUS.format(
            interval=interval, rules=list(map(str, rules)), targets=scraped, alertmanagers=list(alertmanagers)
        )
    )
    command: list[str | Path] = [
        binary,
        f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={directory / name}",
        "--enable-feature=exemplar-storage",
        *flags,
    ]
    server = Prometheus(name, command, directory / f"{name}.log", {})
    server.url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.client = stack.enter_context(closing(PrometheusClient(server.url)))
        server.wait_until(lambda: _answers(f"{server.url}/-/ready"))
        yield server


_PROMETHEUS = """\
global: {{scrape_interval: {interval}, scrape_timeout: {interval}, evaluation_interval: {interval}}}
rule_files: {rules}
alerting: {{alertmanagers: [{{static_configs: [{{targets: {alertmanagers}}}]}}]}}
scrape_configs:
  - job_name: otel-agentops
    static_configs: [{{targets: {targets}}}]
"""


@contextmanager
def alertmanager(config: Path, directory: Path, name: str = "alertmanager") -> Iterator[Server]:
    """Run an Alertmanager on a free port, which is its `address`.

    Raises:
        UnavailableError: There is no Alertmanager.
        NotReadyError: It ended, or is not ready in time.
    """
    (port,) = free_ports(1)
    command: list[str | Path] = [
        toolchain.find("alertmanager"),
        f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.external-url=http://alertmanager.example",
        "--web.route-prefix=/",
        "--cluster.listen-address=",
        f"--storage.path={directory / name}",
    ]
    server = Server(name, command, directory / f"{name}.log", {})
    server.address = f"127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.wait_until(lambda: _answers(f"http://{server.address}/-/ready"))
        yield server


@contextmanager
def victoria_metrics(
    targets: Sequence[str], rules: Sequence[Path], directory: Path, interval: str = "1s"
) -> Iterator[Prometheus]:
    """Run a VictoriaMetrics that scrapes, and the vmalert that evaluates rules over it.

    Args:
        targets: What it scrapes, as host:port.
        rules: Files of rules.
        directory: Folder of the logs, the config and the storage.
        interval: Time between scrapes and between evaluations.

    Raises:
        UnavailableError: One of the programs is missing.
        NotReadyError: One ended, or is not ready in time.
    """
    port, alert_port = free_ports(2)
    config = directory / "victoria.yml"
    config.write_text(
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
        f"scrape_configs:\n  - job_name: otel-agentops\n    static_configs: [{{targets: {list(targets)}}}]\n"
    )
    command: list[str | Path] = [
        toolchain.find("victoria-metrics"),
        f"-promscrape.config={config}",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={directory / 'victoria'}",
        "-search.latencyOffset=0s",
    ]
    server = Prometheus("victoria-metrics", command, directory / "victoria-metrics.log", {})
    server.url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.client = stack.enter_context(closing(PrometheusClient(server.url)))
        server.wait_until(lambda: _answers(f"{server.url}/health"))
        evaluation: list[str | Path] = [
            toolchain.find("vmalert"),
            *(f"-rule={path}" for path in rules),
            *(f"-{source}.url={server.url}" for source in ("datasource", "remoteWrite", "remoteRead")),
            "-notifier.url=http://127.0.0.1:9",  # it wants one; nobody listens there
            f"-httpListenAddr=127.0.0.1:{alert_port}",
            f"-evaluationInterval={interval}",
            "-remoteWrite.flushInterval=200ms",
            # A sample can be queried a second after it came; what is not there yet would never be counted.
            "-datasource.lookback=4s",
        ]
        alerting = Server("vmalert", evaluation, directory / "vmalert.log", {})
        stack.callback(alerting.stop)
        alerting.wait_until(lambda: _answers(f"http://127.0.0.1:{alert_port}/health"))
        yield server


def scrape(url: str) -> list[Sample]:
    """Return the samples of a metrics endpoint."""
    text = httpx.get(url, headers=OPENMETRICS).raise_for_status().text
    return [
        Sample(sample.name, sample.labels, sample.value, sample.exemplar.labels if sample.exemplar else None)
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # its package is not typed
        for sample in family.samples
    ]


def free_ports(count: int) -> list[int]:
    """Return different ports of the loopback interface that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _listens(port: int) -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
