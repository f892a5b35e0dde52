"""Dashboards as data, and a running demo whose story fills every panel of them.

with showing(directory) as show:
    while not satisfied:
        show.go_on()
        show.prometheus.query(filled(asked.expr))
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

import stack
from demo import brain
from demo.world import SERVICE, World, drifted, published, world
from otel_agentops import slo
from otel_agentops.lock import fragment, load
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import prometheus
from otel_agentops.testing.fake_provider import Status
from support_agent.knowledge import MODEL as EMBEDDING

ROOT = stack.ROOT
DIRECTORY = ROOT / "backends" / "grafana"
FILES = sorted(DIRECTORY.glob("*.json"))
TIME_SCALE = 360  # an hour is ten seconds
RATE = 8.0  # customers a second

# -- reading


class Asked(NamedTuple):
    """One query of a panel."""

    dashboard: str
    panel: str
    letter: str
    expr: str
    instant: bool

    @property
    def id(self) -> str:
        """For people."""
        return f"{self.dashboard}: {self.panel} {self.letter}"


def read(path: Path) -> dict[str, Any]:
    """A dashboard."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def panels(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that show something."""
    return [panel for panel in content["panels"] if panel["type"] != "row"]


def queries(content: Mapping[str, Any]) -> Iterator[Asked]:
    """Every query of every panel."""
    for panel in panels(content):
        for target in panel["targets"]:
            yield Asked(content["uid"], panel["title"], target["refId"], target["expr"], target["instant"])


def filled(expr: str) -> str:
    """With the variables as Grafana fills them in: `.*` is All, a rate is over some scrapes, and the range is short."""
    for name in sorted(VALUES, key=len, reverse=True):
        expr = expr.replace(f"${name}", VALUES[name])
    return expr


VALUES = {"service": ".*", "environment": ".*", "slo": ".*", "__rate_interval": "10s", "__range": "2m"}


# -- a story that fills them


class Show:
    """A running demo. began: its first second."""

    def __init__(self, running: World, prometheus: stack.Prometheus) -> None:
        self.world = running
        self.prometheus = prometheus
        self.began = time.time()
        self._left = list(STORY)

    def go_on(self) -> None:
        """What is due by now happens; to be called each second. Raises stack.NotReadyError where a part has ended."""
        self.world.check()
        _translate(self.world)
        while self._left and time.time() - self.began >= self._left[0][0]:
            _, act = self._left.pop(0)
            act(self.world)

    def found(self, asked: Asked) -> list[dict[str, Any]]:
        """The series that a query returns, with their samples over the whole show, or the last ones."""
        now = time.time()
        at = {"time": now} if asked.instant else {"start": self.began, "end": now, "step": 1}
        path = "query" if asked.instant else "query_range"
        series = self.prometheus.api(path, query=filled(asked.expr), **at)["result"]
        return [{"labels": one["metric"], "samples": _numbers(one)} for one in series if _numbers(one)]


def _numbers(series: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Time and value, without what is no number."""
    raw = series.get("values") or [series["value"]]
    return [(float(at), float(value)) for at, value in raw if value not in ("NaN", "+Inf", "-Inf")]


def _refuse(world: World) -> None:
    """The provider refuses some requests in a row: the clients try again, and some give up."""
    world.provider.script(*[Status(429, 0.05)] * 30)


def _lock_out(world: World) -> None:
    """The key is not taken any more, for some requests."""
    world.provider.script(*[Status(401)] * 6)


def _evaluate(world: World) -> None:
    """A set of cases is evaluated, once."""
    judged = {A.JUDGE_NAME: "grounded", A.EVAL_SET_NAME: "golden tickets", A.EVAL_SET_VERSION: "4"}
    _send(world, "logs", SERVICE, "", [_event(E.GEN_AI_EVALUATION_RESULT, judged)])


def _render(world: World) -> None:
    """Another service gives rendered prompts as templates: a hash for each call; most are not counted."""
    prompts = [{A.GEN_AI_OPERATION_NAME: "chat", A.PROMPT_HASH: f"{number:016x}"} for number in range(60)]
    _send(world, "traces", "mailer", "", [_span(prompt) for prompt in prompts])


def _translate(world: World) -> None:
    """A third service, all the time: another model in each region, and truth of which its tasks say nothing."""
    task = {A.TASK_NAME: "translate", A.TASK_OUTCOME: "completed"}
    for region, answers in (("eu-1", "gpt-x-2026-01-01"), ("us-1", "gpt-x-2026-09-01")):
        call = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: answers}
        root = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", **task}
        _send(world, "traces", "translator", region, [*[_span(call)] * 16, *[_span(root)] * 3])
    told = [{**task, A.TRUTH_VERDICT: verdict, A.TRUTH_SAMPLING: "random"} for verdict in ("bad", "good", "good")]
    _send(world, "logs", "translator", "", [_event(E.OUTCOME, truth) for truth in told * 2])


def _send(world: World, signal: str, service: str, region: str, records: list[dict[str, Any]]) -> None:
    """As another application would."""
    resource = {A.SERVICE_NAME: service, A.DEPLOYMENT_ENVIRONMENT_NAME: "demo"} | (
        {A.CLOUD_REGION: region} if region else {}
    )
    outer, inner, each = (
        ("resourceLogs", "scopeLogs", "logRecords") if signal == "logs" else ("resourceSpans", "scopeSpans", "spans")
    )
    body = {outer: [{"resource": {"attributes": _attributes(resource)}, inner: [{each: records}]}]}
    httpx.post(f"{world.collector.otlp}/v1/{signal}", json=body).raise_for_status()


def _span(attributes: Mapping[str, str]) -> dict[str, Any]:
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "50000001"}
    return {"name": "chat", "traceId": "1" * 32, "spanId": "1" * 16, **times, "attributes": _attributes(attributes)}


def _event(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"timeUnixNano": "1", "eventName": name, "attributes": _attributes(attributes)}


def _attributes(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


STORY: tuple[tuple[float, Callable[[World], None]], ...] = (
    (4, _refuse),
    (6, _lock_out),
    (8, _evaluate),
    (14, lambda world: world.repoint(brain.HASTY)),
    (18, _refuse),
    (20, _lock_out),
    (26, lambda world: world.publish(drifted())),
    (34, _render),
    (46, lambda world: world.repoint(brain.CAREFUL)),
    (56, lambda world: world.publish(published())),
)


@contextmanager
def showing(directory: Path) -> Iterator[Show]:
    """The demo's stack with the rules, a scrape of the collector's own metrics, and one of Prometheus itself."""
    rules = directory / "rules.yaml"
    rules.write_text(prometheus.render_rules(slo.load(ROOT / "slo"), TIME_SCALE), "utf-8")
    with ExitStack() as running:
        locked = directory / "lock.yaml"
        locked.write_text(fragment.text([load(_lock(directory / "agentops.lock"))]), "utf-8")
        made = running.enter_context(world(directory, None, RATE, 1, "1s", [locked, CROWDED], SURVEY))
        targets = [urlsplit(url).netloc for url in (made.collector.metrics, made.collector.internal)]
        stored = running.enter_context(stack.prometheus(targets, [rules], directory, itself=True))
        stored.wait_until(lambda: bool(stored.query(_TASKS)))
        yield Show(made, stored)


_TASKS = f"{M.METRICS[M.SPAN_DURATION].prometheus}_count{{{A.TASK_OUTCOME.replace('.', '_')}!=''}}"


# Of variables as many series are kept as the story has, and three of the rendered prompts.
CROWDED = "yaml:processors::delta_to_cumulative/otel_agentops_variables::max_streams: 23"


SURVEY = ("--surveyed=0.4",)  # so many that there are enough labels


def _lock(path: Path) -> Path:
    """The careful model is approved for the alias, the hasty one is not."""
    entry = "{value: %s, service: " + SERVICE + ", owner: support-team, date: 2026-11-24}"
    approved = {brain.ALIAS: brain.CAREFUL, "claude-haiku-5": brain.JUDGE, EMBEDDING: EMBEDDING}
    lines = ["version: 1", "model:"]
    for scope, value in approved.items():
        lines += [f"  {scope}:", f"    - {entry % json.dumps(value)}"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
