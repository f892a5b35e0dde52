"""Cost of the rules with history: CPU seconds and series, by a real Prometheus, and the dearest rules.

python -m bench.rules                              1, 20 and 200 services with two hours of history
python -m bench.rules --services 50 --days 30      a month of it; writing that takes long
python -m bench.rules --services 50 --days 30 --markdown

The history of what the rules read over long windows is written into blocks: what they record, a sample each minute, and
the counters of an hour, the buckets of a day, a sample in each scrape. The counters of now are scraped. Groups are
evaluated three times a minute to be done sooner; what a rule reads does not depend on that. In one service of twenty
all budgets burn.

CPU seconds are all that Prometheus uses, also for what it scrapes meanwhile, divided among the groups by their time by
the clock. So they hardly depend on what else the machine does, as the time by the clock does.
"""

from __future__ import annotations

import argparse
import os
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
from otel_agentops.slo.units import parse_window
from otel_agentops.slo.variables import VARIABLES

DAY = 24 * 60  # minutes
NO_LABELS: Mapping[str, str] = {}
# Each variable has one value, but two models.
VALUES = [
    (variable, tuple("x" for _ in parts), f"{variable}-{number}")
    for variable, (_, parts, _) in VARIABLES.items()
    for number in range(2 if variable == "model" else 1)
]
INDICATORS = ("task_completed", "tool_success", "call_success")
OPERATIONS = {"chat": (A.GEN_AI_PROVIDER_NAME, "openai"), "retrieval": (A.INDEX_NAME, "docs")}
OPERATIONS["execute_tool"] = (A.GEN_AI_TOOL_NAME, "lookup")
BOUNDS = ("0.1", "0.25", "0.5", "1", "2", "5", "10", "20", "40", "80", "160", "+Inf")  # seconds
BURNING = 20  # services, of which one burns
EACH, SCRAPED = "20s", 15  # between evaluations; seconds between scrapes
FILE = 12 * 60  # minutes: promtool reads a file once more for each of its blocks, and holds a block in memory
BLOCKS = "--max-block-duration=18h"
# The rules look back 35 days, of which Prometheus keeps 15 by default. It does not merge blocks while it is measured.
STORAGE = ("--storage.tsdb.retention.time=60d", "--storage.tsdb.max-block-duration=2h")
MEASURED = 60  # seconds, and until each group is evaluated once more
DEAREST = 5  # rules that are shown


class Cost(NamedTuple):
    """One evaluation of all rules.

    Attributes:
        series: Those that the rules recorded.
        seconds: Time of all groups, by the clock.
        cpu: CPU seconds of Prometheus in a minute, if each group is evaluated in its own interval.
        slowest: The group that takes most of its interval, its CPU seconds, and its seconds by the clock.
        by_rule: Time of each rule by the clock, the dearest first.
    """

    series: int
    seconds: float
    cpu: float
    slowest: str
    by_rule: Sequence[tuple[float, str]]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--days", type=float, default=2 / 24, help="of history")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    style = "markdown" if options.markdown else "plain"
    head = ("services", "days", "recorded series", "CPU s a minute", "slowest group", "dearest rule", "its part")
    rows = [head]
    for services in options.services:
        with tempfile.TemporaryDirectory() as name:
            cost = measure_rules(Path(name), services, options.days)
        seconds, rule = cost.by_rule[0]
        part = f"{seconds / cost.seconds:.0%}"
        figures = (str(services), f"{options.days:.3g}", str(cost.series), f"{cost.cpu:.2f}")
        rows.append((*figures, cost.slowest, rule, part))
        load = os.getloadavg()[0]
        print(f"{services} services: {cost.seconds:.2f} s by the clock, load {load:.1f}", file=sys.stderr)
        for seconds, rule in cost.by_rule[:DEAREST]:
            print(f"{services} services: {seconds:.3f} s {rule}", file=sys.stderr)
    show_rows(rows, style)


def measure_rules(folder: Path, services: int, days: float) -> Cost:
    """Evaluate all rules over a history and return what it took."""
    end = int(time.time()) // 60 * 60 - 120
    groups = prometheus.build_rules(slo.load(stack.ROOT / "slo"))["groups"]
    write_json(folder / "rules.yaml", {"groups": [{**group, "interval": EACH} for group in groups]})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Counters, services, end - DAY * 60)) as target:
        address = f"127.0.0.1:{target.server_port}"
        for path in write_history(folder, services, days, end, address):
            promtool = (toolchain.find("promtool"), "tsdb", "create-blocks-from", BLOCKS, "openmetrics")
            subprocess.run([*promtool, path, folder / "prometheus"], check=True, capture_output=True)
            path.unlink()
        threading.Thread(target=target.serve_forever, daemon=True).start()
        with stack.prometheus([address], [folder / "rules.yaml"], folder, f"{SCRAPED}s", flags=STORAGE) as server:
            # The first evaluations after the second scrape find that the counters grew.
            time.sleep(75)
            before, done = _read_totals(server), time.time() + MEASURED
            while any(each["lastEvaluation"] < _format_time(done) for each in _list_groups(server)):
                time.sleep(2)
            used, taken = (after - then for after, then in zip(_read_totals(server), before, strict=True))
            measured = _list_groups(server)
            ours = S.VARIABLE_MOVED.partition(":")[0]
            (count,) = server.query(f'count({{__name__=~"{ours}:.+"}})')
        target.shutdown()
    rules = [rule for group in measured for rule in group["rules"]]
    by_rule = sorted(((float(rule["evaluationTime"]), _describe_rule(rule)) for rule in rules), reverse=True)
    intervals = {group["name"]: parse_window(group["interval"]) for group in groups}
    parts = {each["name"]: float(each["evaluationTime"]) / intervals[each["name"]] for each in measured}
    slowest = max(parts, key=parts.__getitem__)
    clock = parts[slowest] * intervals[slowest]
    label = f"{slowest}: {clock * used / taken:.1f} CPU s of {intervals[slowest]:g} s ({clock:.1f} s by the clock)"
    cpu = 60 * sum(parts.values()) * used / taken
    return Cost(int(count.value), sum(seconds for seconds, _ in by_rule), cpu, label, by_rule)


def _read_totals(server: stack.Prometheus) -> tuple[float, float]:
    """Return the CPU seconds that a Prometheus has used, and those by the clock that all evaluations took."""
    lines = httpx.get(f"{server.url}/metrics", timeout=60).raise_for_status().text.splitlines()
    used, taken = (
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
        for name in ("process_cpu_seconds_total", "prometheus_rule_group_duration_seconds_sum")
    )
    return used, taken


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


def write_history(folder: Path, services: int, days: float, end: int, address: str) -> Iterator[Path]:
    """Yield files of some hours each: what the rules recorded, and what a target at an address counted."""
    minutes = round(days * DAY)
    series = [each for service in range(services) for each in _list_series(service)]
    target = {"job": "otel-agentops", "instance": address}
    for start in range(0, minutes, FILE):
        path, until = folder / f"{start}.om", min(start + FILE, minutes)
        with path.open("w") as file:
            for name, labels, value, longest in series:
                first = max(start, minutes - longest * DAY)
                file.writelines(
                    f"{name}{labels} {value} {end - (minutes - minute) * 60}\n" for minute in range(round(first), until)
                )
            times = range(end - (minutes - max(start, minutes - DAY)) * 60, end - (minutes - until) * 60, SCRAPED)
            for at in times:
                file.write(f"up{_write_labels(target)} 1 {at}\n")
                is_recent = at >= end - 75 * 60
                for service in range(services):
                    tasks = _count_tasks(end - DAY * 60, at)
                    counters = _list_counters(service, tasks, target) if is_recent else ()
                    file.writelines(f"{line} {at}\n" for line in (*counters, *_list_buckets(service, tasks, target)))
            file.write("# EOF\n")
        yield path


def _list_series(service: int) -> Iterator[tuple[str, str, float, int]]:
    """Yield name, labels, value and the longest window in days of what the rules of a service record."""
    own = {A.SERVICE_NAME: f"service-{service}", A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    bad = 2 if service % BURNING == 0 else 0.02
    sli = [{**own, A.SLI_NAME: name, A.SLI_TYPE: "proxy"} for name in INDICATORS]
    changes = [{"variable": variable, "scope": "/".join(scope), "value": value} for variable, scope, value in VALUES]
    for name, all_labels, value, longest in (
        (S.SLI_EVENTS_INCREASE, sli, 10, 31),
        (S.SLI_BAD_INCREASE, sli, bad, 31),
        (S.VARIABLE_INCREASE, [{**own, **change} for change in changes], 10, 8),
        (S.VARIABLE_ACTIVE, [{**own, **change} for change in changes], 50, 8),
        (S.SLI_VALUE_EVENTS_INCREASE, [{**sli[0], **change} for change in changes], 10, 2),
        (S.SLI_VALUE_BAD_INCREASE, [{**sli[0], **change} for change in changes], bad, 2),
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
        tasks = _count_tasks(self.since, time.time())
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        for service in range(self.services):
            lines = (*_list_counters(service, tasks), *_list_buckets(service, tasks))
            self.wfile.write("".join(f"{line}\n" for line in lines).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _count_tasks(since: float, at: float) -> int:
    return int((at - since) / 6)


def _list_counters(service: int, tasks: int, target: Mapping[str, str] = NO_LABELS) -> Iterator[str]:
    """Yield the counters of a service, of which one in BURNING has a hundred times the bad events."""
    own = {**target, A.SERVICE_NAME: f"service-{service}", A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    bad = tasks // (5 if service % BURNING == 0 else 500)
    for variable, scope, value in VALUES:
        metric, parts, key = VARIABLES[variable]
        labels = {**dict(zip(parts, scope, strict=True)), key: value, **own}  # the scope of a deploy is the service
        yield f"{M.METRICS[metric].prometheus}{_write_labels(labels)} {tasks}"
    for indicator in INDICATORS:
        sli = {**own, A.SLI_NAME: indicator, A.SLI_TYPE: "proxy"}
        yield f"{M.METRICS[M.SLI_EVENTS].prometheus}{_write_labels(sli)} {tasks}"
        yield f"{M.METRICS[M.SLI_BAD].prometheus}{_write_labels(sli)} {bad}"
        for variable, scope, value in VALUES if indicator == INDICATORS[0] else ():
            change = {A.CHANGE_VARIABLE: variable, A.CHANGE_SCOPE: "/".join(scope), A.CHANGE_VALUE: value}
            by_value = _write_labels({**sli, **change})
            yield f"{M.METRICS[M.SLI_VALUE_EVENTS].prometheus}{by_value} {tasks}"
            yield f"{M.METRICS[M.SLI_VALUE_BAD].prometheus}{by_value} {bad}"


def _list_buckets(service: int, tasks: int, target: Mapping[str, str] = NO_LABELS) -> Iterator[str]:
    """Yield the durations of a service's operations."""
    own = {**target, A.SERVICE_NAME: f"service-{service}", A.DEPLOYMENT_ENVIRONMENT_NAME: "prod"}
    metric = M.METRICS[M.SPAN_DURATION].prometheus
    for operation, (attribute, name) in OPERATIONS.items():
        labels = {**own, A.GEN_AI_OPERATION_NAME: operation, attribute: name}
        yield f"{metric}_count{_write_labels(labels)} {tasks}"
        for number, bound in enumerate(BOUNDS):
            part = min(1, (number + 1) / 6)
            yield f"{metric}_bucket{_write_labels({**labels, 'le': bound})} {int(tasks * part)}"


if __name__ == "__main__":
    main(sys.argv[1:])
