"""Cost of the rules with history: seconds and series of one evaluation, by a real Prometheus, and the dearest rules.

python -m bench.rules                              1, 20 and 200 services with two hours of history
python -m bench.rules --services 50 --days 30      a month of it; writing that takes long
python -m bench.rules --services 50 --days 30 --markdown

The history of what the rules read over long windows is written into blocks, a sample each minute. The counters of now
are scraped, so that all of a rule's windows are full. Groups are evaluated three times a minute to be done sooner; what
a rule reads does not depend on that.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx

import stack
import toolchain
from bench.detect.__main__ import show_rows
from bench.detect.world import write_json
from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus
from otel_agentops.slo import series as S
from otel_agentops.slo.series import spell_label
from otel_agentops.slo.variables import VARIABLES

DAY = 24 * 60  # minutes
# Each variable has one value, but two models.
VALUES = [
    (variable, tuple("x" for _ in parts), f"{variable}-{number}")
    for variable, (_, parts, _) in VARIABLES.items()
    for number in range(2 if variable == "model" else 1)
]
INDICATORS = ("task_completed", "tool_success", "call_success")
EACH, SCRAPED = "20s", "5s"
DEAREST = 5  # rules that are shown


class Cost(NamedTuple):
    """One evaluation of all rules.

    Attributes:
        series: Those that the rules recorded.
        seconds: Time of all groups.
        by_rule: Time of each rule, the dearest first.
    """

    series: int
    seconds: float
    by_rule: Sequence[tuple[float, str]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--days", type=float, default=2 / 24, help="of history")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    style = "markdown" if options.markdown else "plain"
    rows = [("services", "days", "recorded series", "seconds of all groups", "dearest rule", "its part")]
    for services in options.services:
        with tempfile.TemporaryDirectory() as name:
            cost = measure_rules(Path(name), services, options.days)
        seconds, rule = cost.by_rule[0]
        part = f"{seconds / cost.seconds:.0%}"
        rows.append((str(services), f"{options.days:.3g}", str(cost.series), f"{cost.seconds:.2f}", rule, part))
        for seconds, rule in cost.by_rule[:DEAREST]:
            print(f"{services} services: {seconds:.3f} s {rule}", file=sys.stderr)
    show_rows(rows, style)


def measure_rules(folder: Path, services: int, days: float) -> Cost:
    """Evaluate all rules over a history and return what it took."""
    end = int(time.time()) // 60 * 60 - 120
    for path in write_history(folder, services, days, end):
        command = [toolchain.find("promtool"), "tsdb", "create-blocks-from", "openmetrics", path, folder / "prometheus"]
        subprocess.run(command, check=True, capture_output=True)
        path.unlink()
    groups = prometheus.build_rules(slo.load(stack.ROOT / "slo"))["groups"]
    write_json(folder / "rules.yaml", {"groups": [{**group, "interval": EACH} for group in groups]})
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Counters, services, time.time())) as target,
        stack.prometheus([f"127.0.0.1:{target.server_port}"], [folder / "rules.yaml"], folder, SCRAPED) as server,
    ):
        threading.Thread(target=target.serve_forever, daemon=True).start()
        # The first evaluations after the second scrape find that the counters grew.
        ready = time.time() + 75
        while time.time() < ready or any(each["lastEvaluation"] < _format_time(ready) for each in _list_groups(server)):
            time.sleep(2)
        rules = [rule for group in _list_groups(server) for rule in group["rules"]]
        ours = S.VARIABLE_MOVED.partition(":")[0]
        (count,) = server.query(f'count({{__name__=~"{ours}:.+"}})')
        target.shutdown()
    by_rule = sorted(((float(rule["evaluationTime"]), _describe_rule(rule)) for rule in rules), reverse=True)
    return Cost(int(count.value), sum(seconds for seconds, _ in by_rule), by_rule)


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _list_groups(server: stack.Prometheus) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/api/v1/rules", timeout=60).raise_for_status().json()
    groups: list[dict[str, Any]] = answer["data"]["groups"]
    return groups


def _describe_rule(rule: Mapping[str, Any]) -> str:
    labels = ", ".join(
        f"{key}={value}" for key, value in rule.get("labels", {}).items() if key in ("slo", "against", "kind")
    )
    return f"{rule['name']} {labels}".strip()


# -- the history of what the rules read over long windows


def write_history(folder: Path, services: int, days: float, end: int) -> Iterator[Path]:
    """Yield files of a day each, since promtool reads a file once for each of its blocks of two hours."""
    minutes = round(days * DAY)
    series = [each for service in range(services) for each in _list_series(f"service-{service}")]
    for day in range(0, minutes, DAY):
        path = folder / f"{day}.om"
        with path.open("w") as file:
            for name, labels, value, longest in series:
                file.write(f"# TYPE {name} gauge\n" if "service-0" in labels else "")
                first = max(day, minutes - longest * DAY)
                file.writelines(
                    f"{name}{labels} {value} {end - (minutes - minute) * 60}\n"
                    for minute in range(round(first), min(day + DAY, minutes))
                )
            file.write("# EOF\n")
        yield path


def _list_series(service: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield name, labels, value and the longest window in days of what the rules of a service record."""
    own = {A.SERVICE_NAME: service, A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    sli = [{**own, A.SLI_NAME: name, A.SLI_TYPE: "proxy"} for name in INDICATORS]
    changes = [{"variable": variable, "scope": "/".join(scope), "value": value} for variable, scope, value in VALUES]
    for name, all_labels, value, longest in (
        (S.SLI_EVENTS_INCREASE, sli, 10, 31),
        (S.SLI_BAD_INCREASE, sli, 1, 31),
        (S.VARIABLE_INCREASE, [{**own, **change} for change in changes], 10, 8),
        (S.VARIABLE_ACTIVE, [{**own, **change} for change in changes], 50, 8),
        (S.SLI_VALUE_EVENTS_INCREASE, [{**sli[0], **change} for change in changes], 10, 2),
        (S.SLI_VALUE_BAD_INCREASE, [{**sli[0], **change} for change in changes], 1, 2),
    ):
        for labels in all_labels:
            yield name, _write_labels(labels), value, longest


def _write_labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{spell_label(key)}="{value}"' for key, value in labels.items()) + "}"


# -- the counters of now


class _Counters(BaseHTTPRequestHandler):
    """A collector of some services, each with ten tasks a minute since a time."""

    def __init__(self, services: int, since: float, *arguments: Any) -> None:
        self.services, self.since = services, since
        super().__init__(*arguments)

    def do_GET(self) -> None:
        tasks = int((time.time() - self.since) / 6)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        lines = (line for service in range(self.services) for line in _list_counters(f"service-{service}", tasks))
        self.wfile.write("".join(lines).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _list_counters(service: str, tasks: int) -> Iterator[str]:
    own = {A.SERVICE_NAME: service, A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    for variable, scope, value in VALUES:
        metric, parts, key = VARIABLES[variable]
        labels = {**own, **dict(zip(parts, scope, strict=True)), key: value}
        yield f"{M.METRICS[metric].prometheus}{_write_labels(labels)} {tasks}\n"
    for indicator in INDICATORS:
        sli = {**own, A.SLI_NAME: indicator, A.SLI_TYPE: "proxy"}
        yield f"{M.METRICS[M.SLI_EVENTS].prometheus}{_write_labels(sli)} {tasks}\n"
        yield f"{M.METRICS[M.SLI_BAD].prometheus}{_write_labels(sli)} {tasks // 50}\n"
        for variable, scope, value in VALUES if indicator == INDICATORS[0] else ():
            change = {A.CHANGE_VARIABLE: variable, A.CHANGE_SCOPE: "/".join(scope), A.CHANGE_VALUE: value}
            labels = _write_labels({**sli, **change})
            yield f"{M.METRICS[M.SLI_VALUE_EVENTS].prometheus}{labels} {tasks}\n"
            yield f"{M.METRICS[M.SLI_VALUE_BAD].prometheus}{labels} {tasks // 50}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
