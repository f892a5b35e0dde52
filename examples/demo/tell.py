"""The summary for people, as lines with styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from demo.seen import Move
from demo.summary import Fired, Moved, Phase, Summary, Where, find_attributes
from otel_agentops.semconv import attributes as A


def format_summary(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield the summary as (style, line)."""
    yield (
        "bold",
        f"which variable moved? asked of {summary.source}, {summary.seconds:.0f} s; an hour is ten seconds here",
    )
    yield from (("yellow", f"  left out: {what}") for what in summary.left_out)
    for one in summary.phases:
        yield "", ""
        yield from _format_phase(one)
    yield "", ""
    yield _format_ending(summary)


def _format_phase(phase: Phase) -> Iterator[tuple[str, str]]:
    mark, style = ("✘", "bold red") if phase.wrong else ("✔", "bold green")
    yield style, f"{mark} {phase.name}: {phase.story}, at {phase.start:%H:%M:%S} UTC"
    if not phase.named:
        yield "", "  moved       nothing was named"
    for named in phase.named:
        yield "yellow", f"  moved       {_format_move(named)}, named after {named.after:.0f} s"
    for alert in _keep_first_alerts(phase.alerts):
        yield "red", f"  alert       {_format_alert(alert)}, after {alert.after:.0f} s"
    if phase.why:
        yield "bold", "  why         otel-agentops triage:"
        yield from (("magenta", f"    {line}") for line in phase.why)
    if phase.trace:
        yield "", f"  trace       {phase.trace.trace_id}"
        yield from (("dim", f"              {span}") for span in phase.trace.spans)
    if phase.where and phase.alerts:
        yield from (("cyan", line) for line in _format_where(phase.named[0], phase.where))
    yield from (("bold red", f"  WRONG       {sentence}") for sentence in phase.wrong)


def _format_where(move: Moved, where: Where) -> Iterator[str]:
    _, scope, value = find_attributes(move)
    where_scope = " and ".join(f"{key} = {named}" for key, named in scope.items())
    yield f"  Prometheus  {where.moved}"
    yield f"              {where.activity}"
    yield f"  Grafana     Explore, with exemplars: {where.exemplars}"
    yield f"  Honeycomb   COUNT, group by {value}, root.{A.TASK_OUTCOME}, where {where_scope}"


def _format_alert(alert: Fired) -> str:
    severity = f" ({alert.labels['severity']})" if "severity" in alert.labels else ""
    return f"{alert.alert}{severity} of {alert.labels.get('slo', '')}"


def _format_move(moved: Moved) -> str:
    return str(Move(moved.variable, moved.scope, moved.value, moved.previous))


def _keep_first_alerts(alerts: Sequence[Fired]) -> list[Fired]:
    """Keep the first alert of each name and promise, whatever moves it names."""
    first: dict[tuple[str, str], Fired] = {}
    for alert in sorted(alerts, key=lambda one: (one.at, one.alert, one.labels.get("slo", ""))):
        first.setdefault((alert.alert, alert.labels.get("slo", "")), alert)
    return list(first.values())


def _format_ending(summary: Summary) -> tuple[str, str]:
    if summary.ok:
        return (
            "bold green",
            "In every phase the right variable was named, with old and new value, and nothing beside it.",
        )
    wrong = ", ".join(phase.name for phase in summary.phases if phase.wrong)
    return "bold red", f"The answer is not the truth in: {wrong}."
