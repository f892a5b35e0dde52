"""Dashboards as data, and a running demo whose story fills every panel of them.

with run_show(directory) as show:
    while any(not show.find_series(query) for query in list_queries(read_dashboard(path))):
        show.go_on()
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict
from urllib.parse import urlsplit

import httpx

import stack
from demo import brain
from demo.world import SERVICE, World, build_drifted_tools, read_published_tools, run_world
from otel_agentops import slo
from otel_agentops.lock import fragment, load
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus
from otel_agentops.slo.variables import VARIABLES
from otel_agentops.testing.fake_provider import Status
from support_agent.knowledge import MODEL as EMBEDDING

ROOT = stack.ROOT
DIRECTORY = ROOT / "backends" / "grafana"
FILES = sorted(DIRECTORY.glob("*.json"))
TIME_SCALE = 360  # an hour is ten seconds
RATE = 8.0  # customers a second

# -- reading


class GridPos(TypedDict):
    """The place of a panel in Grafana's grid of 24 columns."""

    x: int
    y: int
    w: int
    h: int


class Target(TypedDict):
    """A query of a panel."""

    refId: str
    expr: str
    instant: bool
    legendFormat: str


class Threshold(TypedDict):
    """A colour and the value from which on it holds; None has no beginning."""

    value: float | None
    color: str


class Panel(TypedDict):
    """A panel, as far as it is read here."""

    id: int
    type: str
    title: str
    description: str
    gridPos: GridPos
    targets: Sequence[Target]
    fieldConfig: Mapping[str, Any]


class PanelQuery(NamedTuple):
    """One query of a panel."""

    dashboard: str
    panel: str
    letter: str
    expr: str
    instant: bool

    @property
    def id(self) -> str:
        """Return a name for people."""
        return f"{self.dashboard}: {self.panel} {self.letter}"


class Series(NamedTuple):
    """A series that a query returns, with time and value of its samples."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


def read_dashboard(path: Path) -> dict[str, Any]:
    """Read the JSON of a dashboard."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def list_panels(content: Mapping[str, Any]) -> list[Panel]:
    """List the panels that show something, which the heading of a row does not."""
    return [panel for panel in content["panels"] if panel["type"] != "row"]


def list_queries(content: Mapping[str, Any]) -> list[PanelQuery]:
    """List every query of every panel."""
    return [
        PanelQuery(content["uid"], panel["title"], target["refId"], target["expr"], target["instant"])
        for panel in list_panels(content)
        for target in panel["targets"]
    ]


def fill_variables(expr: str, seconds: int = 120) -> str:
    """Fill in the variables as Grafana does: `.*` is All, a rate is over some scrapes, the range is what is shown."""
    values = VALUES | {"__range": f"{max(seconds, 1)}s"}  # PromQL refuses 0s
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${name}", values[name])
    return expr


VALUES = {"service": ".*", "environment": ".*", "slo": ".*", "__rate_interval": "10s"}


# -- a story that fills them


class Show:
    """A running demo that a story happens to; `start_time` is its first second."""

    def __init__(self, running: World, prometheus: stack.Prometheus) -> None:
        self.world = running
        self.prometheus = prometheus
        self.start_time = time.time()
        self._rest_of_story = list(STORY)

    def go_on(self) -> None:
        """Let happen what is due by now; call this each second.

        Raises:
            stack.NotReadyError: A part of the demo has ended.
        """
        self.world.check_servers()
        _send_translations(self.world)
        _send_own_metrics(self.world, time.time() - self.start_time)
        while self._rest_of_story and time.time() - self.start_time >= self._rest_of_story[0][0]:
            _, act = self._rest_of_story.pop(0)
            act(self.world)

    def find_series(self, query: PanelQuery, now: float | None = None) -> list[Series]:
        """Return the series of a query with their samples: the last ones if it is instant, else of the whole show."""
        now, client = now or time.time(), self.prometheus.client
        expression = fill_variables(query.expr, round(now - self.start_time))
        if query.instant:
            found = [Series(one.labels, [(now, one.value)]) for one in client.query_instant(expression, now)]
        else:
            points = client.query_range(expression, self.start_time, now, 1)
            found = [Series(one.labels, list(one.points)) for one in points]
        finite = [Series(labels, [point for point in samples if math.isfinite(point[1])]) for labels, samples in found]
        return [one for one in finite if one.samples]


def _refuse_requests(world: World) -> None:
    """Refuse some requests in a row: the clients try again, and some give up."""
    world.provider.script(*[Status(429, 0.05)] * 30)


def _lock_out(world: World) -> None:
    """Refuse the key of some requests."""
    world.provider.script(*[Status(401)] * 6)


def _evaluate_set(world: World) -> None:
    """Send the event of an evaluated set of cases."""
    attributes = {A.JUDGE_NAME: "grounded", A.EVAL_SET_NAME: "golden tickets", A.EVAL_SET_VERSION: "4"}
    _send_records(world, "logs", SERVICE, "", [_build_event(E.GEN_AI_EVALUATION_RESULT, attributes)])


def _render_prompts(world: World) -> None:
    """Send what another service sends that gives rendered prompts as templates: a hash for each call.

    Most of them are not counted.
    """
    prompts = [{A.GEN_AI_OPERATION_NAME: "chat", A.PROMPT_HASH: f"{number:016x}"} for number in range(60)]
    _send_records(world, "traces", "mailer", "", [_build_span(prompt) for prompt in prompts])


def _send_translations(world: World) -> None:
    """Send what a third service sends.

    Another model in each region, an index that does not answer, and truth of which its tasks say nothing.
    """
    task = {A.TASK_NAME: "translate", A.TASK_OUTCOME: "completed"}
    rollout = {key: "on" for name in VARIABLES.keys() & {"flag", "stage"} for key in _list_attributes(name)}
    for region, answers in (("eu-1", "gpt-x-2026-01-01"), ("us-1", "gpt-x-2026-09-01")):
        call = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: answers}
        root = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", **rollout, **task}
        query = {A.GEN_AI_OPERATION_NAME: "retrieval", A.INDEX_NAME: "glossary", A.ERROR_TYPE: "503"}
        spans = [*[_build_span(call)] * 16, *[_build_span(root)] * 3, _build_span(query)]
        _send_records(world, "traces", "translator", region, spans)
    outcomes = [{**task, A.TRUTH_VERDICT: verdict, A.TRUTH_SAMPLING: "random"} for verdict in ("bad", "good", "good")]
    _send_records(world, "logs", "translator", "", [_build_event(E.OUTCOME, outcome) for outcome in outcomes * 2])


def _send_own_metrics(world: World, seconds: float) -> None:
    """Send what the process of the third service counts by itself: retries, fallbacks, waits and limits.

    All of it grows with the seconds of the show, as cumulative sums do. The provider's limits are nearly used up.
    """
    model: dict[str, str | bool] = {A.GEN_AI_PROVIDER_NAME: "openai", A.GEN_AI_REQUEST_MODEL: "gpt-x"}
    task = {A.TASK_NAME: "translate"}
    grown = 1 + int(seconds)
    sums: list[_Point] = [
        *((M.RETRIES, {A.RETRY_LEVEL: level, **task}, grown * each) for each, level in enumerate(_LEVELS, 1)),
        (M.FALLBACKS, {A.FALLBACK_FROM: "gpt-x", **task}, grown),
        *((M.RETRY_AFTER_WAITS, {A.RETRY_AFTER_HONOURED: kept, **model}, grown * each) for kept, each in _WAITS),
    ]
    gauges: list[_Point] = [
        (metric, {A.RATE_LIMIT_KIND: kind, **model}, value)
        for kind in ("requests", "tokens")
        for metric, value in ((M.RATE_LIMIT_LIMIT, 1000), (M.RATE_LIMIT_REMAINING, max(40, 900 - 12 * grown)))
    ]
    records = [_build_metric(*one, is_sum=True) for one in sums] + [_build_metric(*one) for one in gauges]
    _send_records(world, "metrics", "translator", "", records)


_Point: TypeAlias = tuple[str, Mapping[str, str | bool], int]  # of which metric, with which attributes, the value
_LEVELS = A.RETRY_LEVEL_VALUES
_WAITS = ((True, 3), (False, 1))

Record = Mapping[str, object]  # a span, a log record or a metric in OTLP's JSON


def _send_records(world: World, signal: str, service: str, region: str, records: Sequence[Record]) -> None:
    """Send records as another application would."""
    resource = {
        **{key: "7.1" for name in VARIABLES.keys() & {"deploy"} for key in _list_attributes(name)},
        A.SERVICE_NAME: service,
        A.DEPLOYMENT_ENVIRONMENT_NAME: "demo",
        **({A.CLOUD_REGION: region} if region else {}),
    }
    outer, inner, each = _ENVELOPES[signal]
    body = {outer: [{"resource": {"attributes": _encode_attributes(resource)}, inner: [{each: records}]}]}
    httpx.post(f"{world.collector.otlp}/v1/{signal}", json=body).raise_for_status()


_ENVELOPES = {
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "traces": ("resourceSpans", "scopeSpans", "spans"),
}


def _list_attributes(variable: str) -> list[str]:
    """List the attributes that hold the scope and the value of a variable."""
    _, scope, value = VARIABLES[variable]
    return [*scope, value]


def _build_span(attributes: Mapping[str, str]) -> Record:
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "50000001"}
    ids = {"traceId": "1" * 32, "spanId": "1" * 16}
    return {"name": "chat", **ids, **times, "attributes": _encode_attributes(attributes)}


def _build_event(name: str, attributes: Mapping[str, str]) -> Record:
    return {"timeUnixNano": "1", "eventName": name, "attributes": _encode_attributes(attributes)}


def _build_metric(name: str, attributes: Mapping[str, str | bool], value: int, is_sum: bool = False) -> Record:
    """Return a metric with one point: a cumulative sum, or a gauge."""
    metric = M.METRICS[name]
    point = {"timeUnixNano": str(time.time_ns()), "asInt": str(value), "attributes": _encode_attributes(attributes)}
    data: Record = {"dataPoints": [point], **({"aggregationTemporality": 2, "isMonotonic": True} if is_sum else {})}
    return {"name": name, "unit": metric.unit, "description": metric.brief, "sum" if is_sum else "gauge": data}


def _encode_attributes(values: Mapping[str, str | bool]) -> list[Record]:
    return [
        {"key": key, "value": {"boolValue" if isinstance(value, bool) else "stringValue": value}}
        for key, value in values.items()
    ]


STORY: tuple[tuple[float, Callable[[World], None]], ...] = (
    (4, _refuse_requests),
    (6, _lock_out),
    (8, _evaluate_set),
    (14, lambda world: world.repoint_alias(brain.HASTY)),
    (18, _refuse_requests),
    (20, _lock_out),
    (26, lambda world: world.publish_tools(build_drifted_tools())),
    (34, _render_prompts),
    (46, lambda world: world.repoint_alias(brain.CAREFUL)),
    (56, lambda world: world.publish_tools(read_published_tools())),
)


@contextmanager
def run_show(directory: Path) -> Iterator[Show]:
    """Run the demo's stack with the rules; the collector's own metrics and Prometheus' are scraped as well."""
    rules = directory / "rules.yaml"
    rules.write_text(prometheus.render_rules([*slo.load(ROOT / "slo"), UNSEEN], TIME_SCALE), "utf-8")
    with ExitStack() as running:
        lock = directory / "lock.yaml"
        lock.write_text(fragment.render_text([load(_write_lock(directory / "agentops.lock"))]), "utf-8")
        (port,) = stack.free_ports(1)
        own_metrics = directory / "own-metrics.yaml"
        own_metrics.write_text(_OWN_METRICS.format(port=port), "utf-8")
        configs = [lock, CROWDED, own_metrics]
        demo = running.enter_context(run_world(directory, None, RATE, 1, "1s", configs, SURVEY))
        urls = (demo.collector.metrics, demo.collector.internal)
        targets = [*(urlsplit(url).netloc for url in urls), f"127.0.0.1:{port}"]
        server = running.enter_context(stack.prometheus(targets, [rules], directory, itself=True))
        server.wait_until(lambda: bool(server.query(_TASKS)), 120)
        yield Show(demo, server)


# The way of the metrics that applications record themselves, as backends/grafana/README.md shows it.
_OWN_METRICS = """\
exporters:
  prometheus/applications: {{endpoint: "127.0.0.1:{port}", resource_to_telemetry_conversion: {{enabled: true}}}}
service:
  pipelines:
    metrics: {{exporters: [prometheus/applications]}}
"""


# A promise of a service that never ran, which a panel names.
UNSEEN = slo.Slo.model_validate({
    "name": "refunds", "service": "billing", "sli": "task_completed", "objective": 0.9,
    "owner": "billing-team", "runbook": "https://runbooks.example/refunds",
})  # fmt: skip
_TASKS = f"{M.METRICS[M.SPAN_DURATION].prometheus}_count{{{A.TASK_OUTCOME.replace('.', '_')}!=''}}"


# Of variables as many series are kept as the story has, and three of the rendered prompts.
CROWDED = "yaml:processors::delta_to_cumulative/otel_agentops_variables::max_streams: 42"


SURVEY = ("--surveyed=0.4",)  # so many that there are enough labels


def _write_lock(path: Path) -> Path:
    """Write a lock file that approves the careful model for the alias, and not the hasty one."""
    entry = "{value: %s, service: " + SERVICE + ", owner: support-team, date: 2026-11-24}"
    values = {brain.ALIAS: brain.CAREFUL, "claude-haiku-5": brain.JUDGE, EMBEDDING: EMBEDDING}
    lines = ["version: 1", "model:"]
    for scope, value in values.items():
        lines += [f"  {scope}:", f"    - {entry % json.dumps(value)}"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
