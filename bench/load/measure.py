"""One collector under load: processor seconds and memory from the first request until all is counted and sent on."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
from bench.load.traffic import Traffic, rounds

import stack
from otel_agentops.semconv import metrics as M

_SINK = """\
receivers: {otlp: {protocols: {http: {endpoint: "${env:OTLP_HTTP_ENDPOINT}"}}}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
"""
# As many run it: behind the limiter and the batch, compressed, to another server.
_EXPORTING = """\
exporters: {otlp_http: {endpoint: "${env:SINK}"}}
service: {pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_http]}}}
"""


class Taken(NamedTuple):
    """seconds: processor time of the collector. spans, genai: what was sent. counted: model calls that it counted, None
    without the overlay. rss: highest resident memory seen, MiB. series: those of a scrape. scrape: seconds it took."""

    seconds: float
    spans: int
    genai: int
    counted: int | None
    rss: float
    series: int
    scrape: float


def run(configs: Sequence[Path | str], traffic: Traffic, spans: int, overlay: bool) -> Taken:
    """Send whole rounds of the traffic, at least so many spans, as fast as it takes them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sink.yaml").write_text(_SINK)
        (folder / "exporting.yaml").write_text(_EXPORTING)
        with stack.collector([folder / "sink.yaml"], folder, name="sink") as sink:
            every = [stack.BASE, folder / "exporting.yaml", *configs]
            with stack.collector(every, folder, {"SINK": sink.otlp}) as collector:
                return _load(collector, traffic, spans, overlay)


def _load(collector: stack.Collector, traffic: Traffic, spans: int, overlay: bool) -> Taken:
    process = psutil.Process(collector.process.pid)
    before, highest, sent = _seconds(process), 0, 0
    url = urlsplit(collector.otlp)
    connection = http.client.HTTPConnection(url.netloc)
    for body in rounds(traffic, spans):
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        if response.read() is None or response.status != http.client.OK:
            raise RuntimeError(f"the collector answered {response.status}; see {collector.log}")
        sent += traffic.spans // len(traffic.requests)
        highest = max(highest, process.memory_info().rss)
    times = sent // traffic.spans
    _wait_until_done(collector, sent, traffic.calls * times if overlay else None)
    taken, highest = _seconds(process) - before, max(highest, process.memory_info().rss)
    counted, series, scrape = _scrape_counts(collector) if overlay else (None, 0, 0.0)
    return Taken(taken, sent, traffic.genai * times, counted, highest / 2**20, series, scrape)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _wait_until_done(collector: stack.Collector, spans: int, calls: int | None) -> None:
    """Wait until everything was sent on and counted, for a limited time because a span may be lost."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(1)  # asking costs the collector some milliseconds, too
        if _sent_on(collector) >= spans and (calls is None or _scrape_counts(collector)[0] >= calls):
            return
    raise RuntimeError(f"not everything arrived within a minute; see {collector.log}")


def _sent_on(collector: stack.Collector) -> int:
    name = "otelcol_exporter_sent_spans"
    lines = httpx.get(collector.internal).text.splitlines()
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name) and "otlp_http" in line))


def _scrape_counts(collector: stack.Collector) -> tuple[int, int, float]:
    """Return the counted model calls, the number of series and the seconds that the scrape took."""
    start = time.monotonic()
    text = httpx.get(collector.metrics, headers=stack.OPENMETRICS, timeout=60).text
    took = time.monotonic() - start
    lines = [line.partition(" # ")[0] for line in text.splitlines() if not line.startswith("#")]
    calls = M.METRICS[M.LLM_CALLS].prometheus + "{"
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith(calls))), len(lines), took
