"""The summary of the demo, as data: for each phase what moved, what was named and fired, a trace, and where to look.

`DEMO_JSON=path` writes it; `python -m demo --schema` prints its JSON schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field

from demo import traces
from demo.seen import BURN, JOINED, SLI, Alert, Move, Source, Spell
from demo.verdict import Verdict
from demo.world import SERVICE
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.series import VARIABLE_MOVED
from otel_agentops.slo.variables import VARIABLES


class Moved(BaseModel):
    """A variable with its old and its new value."""

    variable: str
    scope: str = Field(description="which model alias, prompt, tool, task … it is")
    previous: str
    value: str


class Named(Moved):
    """A move that was named."""

    at: datetime
    after: float = Field(description="seconds since the phase began, which is when the script moved it")


class Fired(BaseModel):
    """An alert that began to fire in the phase."""

    alert: str
    labels: dict[str, str]
    at: datetime
    after: float = Field(description="seconds since the phase began")
    until: datetime = Field(description="when it was last seen to fire")


class Trace(BaseModel):
    """A stored trace of a bad call or task that an exemplar of the span duration points at."""

    trace_id: str
    spans: list[str] = Field(description="what was stored of it, a span each")


class Where(BaseModel):
    """How to see it."""

    moved: str = Field(description="PromQL: the move as the rules tell it, at the value of its time")
    activity: str = Field(description="PromQL: the values of the variable, as calls a second")
    exemplars: str = Field(description="PromQL: the durations whose exemplars are the bad traces")
    grafana: str = Field(description="path of Grafana's Explore with the latter two, exemplars on")
    honeycomb: str = Field(description="query specification, JSON")


class Phase(BaseModel):
    """One phase: what the script moved and what was seen. where: of the first move that was named."""

    name: str
    story: str
    start: datetime
    end: datetime
    moved: Moved | None = Field(description="by the script: the truth")
    named: list[Named] = Field(description="by the source: the answer")
    alerts: list[Fired]
    trace: Trace | None
    where: Where | None
    wrong: list[str] = Field(description="a sentence for each difference; empty where the answer is the truth")


class Summary(BaseModel):
    """The whole run."""

    ok: bool
    source: str = Field(description="who named and fired: Prometheus, or the collector's own endpoint")
    left_out: list[str] = Field(description="what could not be shown here, and why")
    seed: int
    rate: float = Field(description="customers a second")
    seconds: float
    phases: list[Phase]


def phase(verdict: Verdict, source: Source, store: Path) -> Phase:
    """The summary of one phase. store: the stored traces."""
    ran = verdict.ran
    named = [_named(move, spell, ran.start) for move, spell in verdict.moves]
    return Phase(
        name=ran.phase.name,
        story=ran.phase.story,
        start=_time(ran.start),
        end=_time(ran.end),
        moved=Moved(**ran.phase.move._asdict()) if ran.phase.move else None,
        named=named,
        alerts=[_fired(alert, spell, ran.start) for alert, spell in verdict.alerts if alert.name in (BURN, JOINED)],
        trace=_trace(verdict, source, store),
        where=where(named[0], _selector(verdict)) if named else None,
        wrong=list(verdict.wrong),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _after(spell: Spell, start: float) -> float:
    return round(spell.start - start, 1)


def _named(move: Move, spell: Spell, start: float) -> Named:
    return Named(**move._asdict(), at=_time(spell.start), after=_after(spell, start))


def _fired(alert: Alert, spell: Spell, start: float) -> Fired:
    return Fired(
        alert=alert.name,
        labels=dict(alert.labels),
        at=_time(spell.start),
        after=_after(spell, start),
        until=_time(spell.end),
    )


# -- the trace

_DURATIONS = f"{M.METRICS[M.SPAN_DURATION].prometheus}_bucket"
_FAILED_TOOLS = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.INCIDENT_SURFACE: "tool"}
_HANDED_OVER = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", A.TASK_OUTCOME: "escalated"}


def _selector(verdict: Verdict) -> Mapping[str, str]:
    """The labels of the durations of bad operations: the tools' where their promise burns, else the tasks'."""
    burning = {alert.get(SLI) for alert, _ in verdict.alerts if alert.name == BURN}
    wanted = _FAILED_TOOLS if "tool_success" in burning else _HANDED_OVER
    return {_label(key): value for key, value in wanted.items()}


def _trace(verdict: Verdict, source: Source, store: Path) -> Trace | None:
    """The last trace of the phase that an exemplar points at, is stored, and was bad."""
    if not verdict.ran.phase.hurts:
        return None
    found = source.exemplars(_selector(verdict), verdict.ran.start, verdict.ran.end)
    newest_first = sorted(found, key=lambda exemplar: -exemplar.at)
    spans = traces.bad_trace(store, dict.fromkeys(exemplar.trace_id for exemplar in newest_first))
    return Trace(trace_id=spans[0].trace_id, spans=[span.told() for span in spans]) if spans else None


# -- where to look


def where(move: Moved, bad: Mapping[str, str]) -> Where:
    """How to see a move and the operations that went bad. bad: the labels of these."""
    metric, scope, value = attributes_of(move)
    activity = f"sum by ({_label(value)}) (rate({M.METRICS[metric].prometheus}{_braces(scope)}[10s]))"
    durations = f"sum by (le) (rate({_DURATIONS}{_braces(bad)}[10s]))"
    return Where(
        moved=f"{VARIABLE_MOVED}{_braces({'variable': move.variable, 'scope': move.scope})}",
        activity=activity,
        exemplars=durations,
        grafana=_explore(activity, durations),
        honeycomb=json.dumps(_honeycomb(scope, value)),
    )


def attributes_of(move: Moved) -> tuple[str, dict[str, str], str]:
    """The metric of a variable, the attributes of this scope with their values, and the attribute that is its value."""
    metric, scope, value = VARIABLES[move.variable]
    return metric, dict(zip(scope, move.scope.split("/", max(0, len(scope) - 1)), strict=False)), value


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")


def _braces(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{_label(key)}="{value}"' for key, value in labels.items()) + "}"


def _explore(*expressions: str) -> str:
    """Grafana's Explore with its default data source; for exemplars it has to be a Prometheus."""
    queries = [
        {"refId": chr(ord("A") + number), "expr": expression, "exemplar": True, "range": True}
        for number, expression in enumerate(expressions)
    ]
    panes = {"demo": {"queries": queries, "range": {"from": "now-15m", "to": "now"}}}
    return f"/explore?schemaVersion=1&panes={quote(json.dumps(panes, separators=(',', ':')))}"


def _honeycomb(scope: Mapping[str, str], value: str) -> dict[str, object]:
    """Spans by the variable's value and the outcome of the task that they are part of."""
    return {
        "calculations": [{"op": "COUNT"}],
        "breakdowns": [value, f"root.{A.TASK_OUTCOME}"],
        "filters": [
            {"column": "service.name", "op": "=", "value": SERVICE},
            *({"column": key, "op": "=", "value": named} for key, named in scope.items()),
            {"column": value, "op": "exists"},
        ],
        "time_range": 900,
    }
