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
    why: list[str] = Field(description="what `otel-agentops triage` said while the budgets burnt, a line each")
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


def summarise_phase(verdict: Verdict, source: Source, store: Path) -> Phase:
    """Summarise one phase; `store` is the file of stored traces."""
    ran = verdict.ran
    named = [_describe_move(move, spell, ran.start) for move, spell in verdict.moves]
    return Phase(
        name=ran.phase.name,
        story=ran.phase.story,
        start=_convert_time(ran.start),
        end=_convert_time(ran.end),
        moved=Moved(**ran.phase.move._asdict()) if ran.phase.move else None,
        named=named,
        alerts=[
            _describe_alert(alert, spell, ran.start) for alert, spell in verdict.alerts if alert.name in (BURN, JOINED)
        ],
        trace=_find_trace(verdict, source, store),
        where=locate_move(named[0], _select_durations(verdict)) if named else None,
        why=_explain_burns(verdict, source),
        wrong=list(verdict.wrong),
    )


def _explain_burns(verdict: Verdict, source: Source) -> list[str]:
    """Ask at the end of the phase, or at the end of its last burn: then there is most to compare."""
    ends = [spell.end for alert, spell in verdict.alerts if alert.name == BURN]
    return list(source.explain_burns(min(verdict.ran.end, max(ends)))) if ends and verdict.ran.phase.hurts else []


def _convert_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _measure_delay(spell: Spell, start: float) -> float:
    return round(spell.start - start, 1)


def _describe_move(move: Move, spell: Spell, start: float) -> Named:
    return Named(**move._asdict(), at=_convert_time(spell.start), after=_measure_delay(spell, start))


def _describe_alert(alert: Alert, spell: Spell, start: float) -> Fired:
    return Fired(
        alert=alert.name,
        labels=dict(alert.labels),
        at=_convert_time(spell.start),
        after=_measure_delay(spell, start),
        until=_convert_time(spell.end),
    )


# -- the trace

_DURATIONS = f"{M.METRICS[M.SPAN_DURATION].prometheus}_bucket"
_FAILED_TOOLS = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.INCIDENT_SURFACE: "tool"}
_HANDED_OVER = {A.GEN_AI_OPERATION_NAME: "invoke_workflow", A.TASK_OUTCOME: "escalated"}


def _select_durations(verdict: Verdict) -> Mapping[str, str]:
    """Return the labels of bad operations: tools if their promise burns, else tasks."""
    burning = {alert.get_label(SLI) for alert, _ in verdict.alerts if alert.name == BURN}
    wanted = _FAILED_TOOLS if "tool_success" in burning else _HANDED_OVER
    return {_spell_label(key): value for key, value in wanted.items()}


def _find_trace(verdict: Verdict, source: Source, store: Path) -> Trace | None:
    """Find the last bad trace of the phase that is stored and has an exemplar."""
    if not verdict.ran.phase.hurts:
        return None
    exemplars = source.find_exemplars(_select_durations(verdict), verdict.ran.start, verdict.ran.end)
    newest_first = sorted(exemplars, key=lambda exemplar: -exemplar.at)
    spans = traces.find_bad_trace(store, dict.fromkeys(exemplar.trace_id for exemplar in newest_first))
    return Trace(trace_id=spans[0].trace_id, spans=[span.describe_span() for span in spans]) if spans else None


# -- where to look


def locate_move(move: Moved, bad: Mapping[str, str]) -> Where:
    """Return the queries for a move and for operations with the `bad` labels."""
    metric, scope, value = find_attributes(move)
    activity = f"sum by ({_spell_label(value)}) (rate({M.METRICS[metric].prometheus}{_format_labels(scope)}[10s]))"
    durations = f"sum by (le) (rate({_DURATIONS}{_format_labels(bad)}[10s]))"
    return Where(
        moved=f"{VARIABLE_MOVED}{_format_labels({'variable': move.variable, 'scope': move.scope})}",
        activity=activity,
        exemplars=durations,
        grafana=_build_explore_link(activity, durations),
        honeycomb=json.dumps(_build_honeycomb_query(scope, value)),
    )


def find_attributes(move: Moved) -> tuple[str, dict[str, str], str]:
    """Return the metric of a variable, its scope attributes and its value attribute."""
    metric, scope, value = VARIABLES[move.variable]
    return metric, dict(zip(scope, move.scope.split("/", max(0, len(scope) - 1)), strict=False)), value


def _spell_label(attribute: str) -> str:
    return attribute.replace(".", "_")


def _format_labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{_spell_label(key)}="{value}"' for key, value in labels.items()) + "}"


def _build_explore_link(*expressions: str) -> str:
    """Build a path of Grafana's Explore; exemplars need a Prometheus as the default."""
    queries = [
        {"refId": chr(ord("A") + number), "expr": expression, "exemplar": True, "range": True}
        for number, expression in enumerate(expressions)
    ]
    panes = {"demo": {"queries": queries, "range": {"from": "now-15m", "to": "now"}}}
    return f"/explore?schemaVersion=1&panes={quote(json.dumps(panes, separators=(',', ':')))}"


def _build_honeycomb_query(scope: Mapping[str, str], value: str) -> dict[str, object]:
    """Build a query of spans by the variable's value and their task's outcome."""
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
