"""What the demo comes to, as data: for each phase what moved, what was named and fired, a trace, and where to look.

`DEMO_JSON=path` writes it; `python -m demo --schema` prints its JSON schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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

    prometheus: str = Field(description="PromQL: the values of the variable, as calls a second")
    exemplars: str = Field(description="PromQL: the durations whose exemplars are the bad traces")
    grafana: str = Field(description="path of Grafana's Explore with both queries")
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
    return Phase(
        name=ran.phase.name,
        story=ran.phase.story,
        start=_time(ran.start),
        end=_time(ran.end),
        moved=Moved(**ran.phase.move._asdict()) if ran.phase.move else None,
        named=[
            Named(**move._asdict(), at=_time(spell.start), after=_after(spell, ran.start))
            for move, spell in verdict.moves
        ],
        alerts=[_fired(alert, spell, ran.start) for alert, spell in verdict.alerts if alert.name in (BURN, JOINED)],
        trace=_trace(verdict, source, store),
        where=where(verdict.moves[0][0], _selector(verdict)) if verdict.moves else None,
        wrong=list(verdict.wrong),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _after(spell: Spell, start: float) -> float:
    return round(spell.start - start, 1)


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


def where(move: Move, bad: Mapping[str, str]) -> Where:
    """How to see a move and the operations that went bad. bad: the labels of these."""
    metric = next(metric for name, metric in M.METRICS.items() if name.endswith(f".{move.variable}.observations"))
    scope, value = metric.labels[0], metric.labels[-1]
    activity = f'sum by ({_label(value)}) (rate({metric.prometheus}{{{_label(scope)}="{move.scope}"}}[10s]))'
    durations = f"sum by (le) (rate({_DURATIONS}{_braces(bad)}[10s]))"
    return Where(
        prometheus=activity,
        exemplars=durations,
        grafana=_explore(activity, durations),
        honeycomb=json.dumps(_honeycomb(scope, move.scope, value)),
    )


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")


def _braces(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def _explore(*expressions: str) -> str:
    """Grafana's Explore with its default data source; for exemplars it has to be a Prometheus."""
    queries = [
        {"refId": chr(ord("A") + number), "expr": expression, "exemplar": True, "range": True}
        for number, expression in enumerate(expressions)
    ]
    panes = {"demo": {"queries": queries, "range": {"from": "now-15m", "to": "now"}}}
    return f"/explore?schemaVersion=1&panes={quote(json.dumps(panes, separators=(',', ':')))}"


def _honeycomb(scope: str, named: str, value: str) -> dict[str, object]:
    """Spans by the variable's value and the outcome of the task that they are part of."""
    return {
        "calculations": [{"op": "COUNT"}],
        "breakdowns": [value, f"root.{A.TASK_OUTCOME}"],
        "filters": [
            {"column": "service.name", "op": "=", "value": SERVICE},
            {"column": scope, "op": "=", "value": named},
            {"column": value, "op": "exists"},
        ],
        "time_range": 900,
    }


# -- for the terminal


def lines(summary: Summary) -> Iterator[tuple[str, str]]:
    """The summary as (style, line)."""
    yield "bold", f"which variable moved? asked of {summary.source}, {summary.seconds:.0f} s"
    yield from (("yellow", f"  left out: {what}") for what in summary.left_out)
    for one in summary.phases:
        yield "", ""
        yield from _phase_lines(one)
    yield "", ""
    yield _ending(summary)


def _phase_lines(phase: Phase) -> Iterator[tuple[str, str]]:
    mark, style = ("✘", "bold red") if phase.wrong else ("✔", "bold green")
    yield style, f"{mark} {phase.name}: {phase.story}, at {phase.start:%H:%M:%S} UTC"
    if not phase.named:
        yield "", "  moved       nothing was named"
    for named in phase.named:
        yield "yellow", f"  moved       {_move(named)}, named after {named.after:.0f} s"
    for alert in _first_of_each(phase.alerts):
        yield "red", f"  alert       {alert.alert} of {alert.labels.get('slo', '')}, after {alert.after:.0f} s"
    if phase.trace:
        yield "", f"  trace       {phase.trace.trace_id}"
        yield from (("dim", f"              {span}") for span in phase.trace.spans)
    if phase.where and phase.alerts:
        yield "cyan", f"  Prometheus  {phase.where.prometheus}"
        yield "cyan", f"  Grafana     Explore with that query; for the traces, exemplars of {phase.where.exemplars}"
        yield "cyan", f"  Honeycomb   {phase.where.honeycomb}"
    yield from (("bold red", f"  WRONG       {sentence}") for sentence in phase.wrong)


def _move(move: Moved) -> str:
    return str(Move(move.variable, move.scope, move.value, move.previous))


def _first_of_each(alerts: Sequence[Fired]) -> list[Fired]:
    """Each alert once for each promise, also where it joins several moves of one cause."""
    first: dict[tuple[str, str], Fired] = {}
    for alert in sorted(alerts, key=lambda one: (one.at, one.alert, one.labels.get("slo", ""))):
        first.setdefault((alert.alert, alert.labels.get("slo", "")), alert)
    return list(first.values())


def _ending(summary: Summary) -> tuple[str, str]:
    if summary.ok:
        return (
            "bold green",
            "In every phase the right variable was named, with old and new value, and nothing beside it.",
        )
    wrong = ", ".join(phase.name for phase in summary.phases if phase.wrong)
    return "bold red", f"The answer is not the truth in: {wrong}."
