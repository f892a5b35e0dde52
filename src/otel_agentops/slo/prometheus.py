"""Objectives to Prometheus rules: error ratios, budgets, burn alerts, and which variable moved.

Every series carries `service_name` and `deployment_environment_name`. SLI labels are `otel_agentops_sli_name`,
`otel_agentops_sli_type` (proxy or direct) and, of a judge, its name and revision, which are never summed together.

| series | labels besides | value |
|---|---|---|
| `otel_agentops:sli_events:increase`, `:sli_bad:increase` | SLI | events since the last evaluation, to the unit |
| `otel_agentops:sli_events:increase5m` … `3d`, `:sli_bad:…` | SLI | events within the window |
| `otel_agentops:sli_error:ratio5m` … `3d` | SLI | bad / events; absent where there are no events |
| `otel_agentops:slo_objective:ratio` | slo | what was promised (no service) |
| `otel_agentops:slo_events:increase`, `:slo_bad:increase` | SLI, slo | events within the objective's window |
| `otel_agentops:slo_budget:remaining` | SLI, slo | 1 untouched, 0 spent, below 0 overspent |
| `otel_agentops:slo_burn:ratio` | SLI, slo, severity | error ratio of now, present while the budget burns |
| `otel_agentops:slo_burn:since` | SLI, slo, severity | Unix time at which that began |
| `otel_agentops:slo_burn:moved` | slo, severity, variable, scope, value, previous | Unix time of a move before it |
| `otel_agentops:variable:active` | variable, scope, value | observations within five minutes |
| `otel_agentops:variable:moved` | variable, scope, value, previous | Unix time of the move, for two hours |

Alerts: `OtelAgentopsErrorBudgetBurn` (severity page or ticket), `OtelAgentopsVariableMoved` (severity info),
`OtelAgentopsBurnAfterMove` (severity of the burn; one alert for each pair of a burn and a move that came before it).

A move is a value that became active in a scope that was active without it, also one that comes back after five minutes
or more. variable: model, prompt, tools, index or judge. A tool whose schema drifts is told as `tools`, since the hash
of the set moves with it; `active` has `tool` and `traffic` too. A new scope is no move.

`time_scale` divides every window and the interval of evaluation (60 s), while the names keep the nominal window: at 300
`ratio5m` and `increase1h` look at 4 and 12 seconds. The interval is never below a second, which wants a scrape each
second, and no window is below four intervals, so that from 75 on `5m`, and from 450 on `30m` too, stay at 4 s. Moves
are told after `5m` and for `2h`, and only in scopes that are older than `30m` and 12 intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import SEEK_END, StringIO
from typing import Any, Literal, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import SERVICE, Clock, duration, grown, number, quoted, rule
from otel_agentops.slo.spec import SLIS, Slo
from otel_agentops.slo.variables import PREFIX as VARIABLE
from otel_agentops.slo.variables import variable_rules

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
SLI = (
    *SERVICE,
    *(name.replace(".", "_") for name in (A.SLI_NAME, A.SLI_TYPE, A.JUDGE_NAME, A.JUDGE_REVISION)),
)
_SLI_NAME = A.SLI_NAME.replace(".", "_")

# Above this part of all events a threshold can hardly be reached: where nine of ten are bad nothing is left to learn.
REACHABLE = Decimal("0.8")
SLOWEST, FASTEST = 1, 600  # at 600 an hour is six seconds


class Burn(NamedTuple):
    """One row of the SRE workbook's table: burning `factor` times too fast over both windows."""

    severity: Literal["page", "ticket"]
    factor: Decimal
    short: str
    long: str


BURNS = (
    Burn("page", Decimal("14.4"), "5m", "1h"),
    Burn("page", Decimal(6), "30m", "6h"),
    Burn("ticket", Decimal(3), "2h", "1d"),
    Burn("ticket", Decimal(1), "6h", "3d"),
)


class UnreachableError(ValueError):
    """An objective for which no alert can be made."""


def rules(slos: Sequence[Slo], time_scale: float = 1.0) -> dict[str, Any]:
    """A rule file as data. Raises UnreachableError, or ValueError for a time scale that is not between 1 and 600."""
    if not SLOWEST <= time_scale <= FASTEST:
        raise ValueError(f"time_scale is {time_scale}; take one between {SLOWEST} and {FASTEST}")
    clock = Clock(time_scale)
    # Rules of one group are evaluated one after the other: what reads another series of now comes after it.
    groups = (
        ("otel_agentops_sli", clock.tick, [*_sli_rules(clock), *_burning_rules(slos)]),
        ("otel_agentops_variables", clock.tick, [*variable_rules(clock), *_move_alerts(slos, clock)]),
        ("otel_agentops_budget", clock.seconds("5m", 1), [r for slo in slos for r in _budget_rules(slo, clock)]),
    )
    return {
        "groups": [{"name": name, "interval": duration(each), "rules": made} for name, each, made in groups if made],
    }


def text(slos: Sequence[Slo], time_scale: float = 1.0) -> str:
    """The rule file of objectives, the same for the same objectives."""
    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO(_HEAD)
    out.seek(0, SEEK_END)
    yaml.dump(_readable(rules(slos, time_scale)), out)
    return out.getvalue()


_HEAD = "# Generated by `otel-agentops slo generate`; do not edit. What each series and alert means: README.md.\n"


def notes(slos: Sequence[Slo]) -> list[str]:
    """What was done to an alert that could never fire, one sentence each."""
    return [text for slo in slos for burn in BURNS if (text := _note(slo, burn))]


# -- error ratios


def _sli_rules(clock: Clock) -> Iterator[dict[str, Any]]:
    by = f"sum by ({', '.join(SLI)})"
    for half, metric in (("events", M.SLI_EVENTS), ("bad", M.SLI_BAD)):
        yield rule(f"otel_agentops:sli_{half}:increase", f"{by} (\n  {grown(M.METRICS[metric].prometheus, clock)}\n)")
    for window in WINDOWS:
        for half in ("events", "bad"):
            summed = f"sum_over_time(otel_agentops:sli_{half}:increase[{clock.samples(window)}])"
            yield rule(f"otel_agentops:sli_{half}:increase{window}", summed)
        bad, events = (f"otel_agentops:sli_{half}:increase{window}" for half in ("bad", "events"))
        yield rule(f"otel_agentops:sli_error:ratio{window}", f"{bad} / ({events} > 0)")


# -- burning


def _burning_rules(slos: Sequence[Slo]) -> Iterator[dict[str, Any]]:
    for slo in slos:
        yield from _burn_rules(slo)
    if slos:
        yield _since()
    for slo in slos:
        yield from (_burn_alert(slo, severity) for severity in _severities(slo))


def _burn_rules(slo: Slo) -> Iterator[dict[str, Any]]:
    for severity in _severities(slo):
        burns = [_burning(slo, burn) for burn in BURNS if burn.severity == severity]
        yield rule("otel_agentops:slo_burn:ratio", "\nor\n".join(burns), slo=slo.name, severity=severity)


def _severities(slo: Slo) -> tuple[str, ...]:
    return ("page", "ticket") if slo.severity == "page" else ("ticket",)


def _burning(slo: Slo, burn: Burn) -> str:
    of, threshold = _selector(slo), number(_factor(slo, burn) * slo.budget)
    return f"""\
(
  otel_agentops:sli_error:ratio{burn.short}{of} > {threshold}
  and otel_agentops:sli_error:ratio{burn.long}{of} > {threshold}
  and otel_agentops:sli_events:increase{burn.long}{of} >= {slo.minimum.events}
  and otel_agentops:sli_bad:increase{burn.long}{of} >= {slo.minimum.failures}
)"""


def _factor(slo: Slo, burn: Burn) -> Decimal:
    """The factor of the table, or the highest that can be reached."""
    if burn.factor * slo.budget < 1:
        return burn.factor
    rescaled = (REACHABLE / slo.budget).quantize(Decimal("0.01"))
    if rescaled <= 1:
        raise UnreachableError(
            f"{slo.name}: objective: with a budget of {number(slo.budget)} even {number(REACHABLE)} of bad events burn "
            f"it only {number(rescaled)} times as fast as promised, and no alert is left; promise more than "
            f"{number(1 - REACHABLE)}"
        )
    return rescaled


def _note(slo: Slo, burn: Burn) -> str:
    factor = _factor(slo, burn)
    if factor == burn.factor or burn.severity not in _severities(slo):
        return ""
    return (
        f"{slo.name}: {number(burn.factor)} times the budget of {number(slo.budget)} is "
        f"{number(burn.factor * slo.budget)} of all events, which nothing can exceed; the alert over {burn.short} and "
        f"{burn.long} takes {number(factor)} times ({number(factor * slo.budget)}) instead"
    )


def _since() -> dict[str, Any]:
    burn, since = "otel_agentops:slo_burn:ratio", "otel_agentops:slo_burn:since"
    return rule(since, f"{since} and {burn}\nor\n{burn} * 0 + time()")


def _selector(slo: Slo) -> str:
    matchers = [f"{_SLI_NAME}={quoted(slo.sli)}"]
    if slo.service != ".*":
        matchers.append(f"{SERVICE[0]}=~{quoted(slo.service)}")
    return "{" + ", ".join(matchers) + "}"


# -- budgets


def _budget_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """Of all events of the window, and not a mean of ratios: a quiet night weighs as much as it had events."""
    yield rule("otel_agentops:slo_objective:ratio", f"vector({number(1 - slo.budget)})", slo=slo.name)
    for half in ("events", "bad"):
        summed = f"sum_over_time(otel_agentops:sli_{half}:increase{_selector(slo)}[{clock.samples(slo.window)}])"
        yield rule(f"otel_agentops:slo_{half}:increase", summed, slo=slo.name)
    of = f"{{slo={quoted(slo.name)}}}"
    bad, events = (f"otel_agentops:slo_{half}:increase{of}" for half in ("bad", "events"))
    remaining = f"1 - {bad} / ({events} > 0) / {number(slo.budget)}"
    yield rule("otel_agentops:slo_budget:remaining", remaining, slo=slo.name)


# -- alerts


def _burn_alert(slo: Slo, severity: str) -> dict[str, Any]:
    texts = [f"{_promise(slo)} Right now {{{{ $value | humanizePercentage }}}} are bad.", *_notes_of(slo, severity)]
    return {
        "alert": "OtelAgentopsErrorBudgetBurn",
        "expr": f"otel_agentops:slo_burn:ratio{_of(slo, severity)}",
        "labels": _labels(slo, severity),
        "annotations": {
            "summary": f"{_SERVICE_TEXT} burns the error budget of {slo.name} ({_kind(slo)})",
            "description": " ".join(texts),
            **_facts(slo),
        },
    }


def _move_alerts(slos: Sequence[Slo], clock: Clock) -> Iterator[dict[str, Any]]:
    yield _moved_alert()
    for slo in slos:
        for severity in _severities(slo):
            yield _burn_moved(slo, severity, clock)
            yield _after_move_alert(slo, severity)


def _burn_moved(slo: Slo, severity: str, clock: Clock) -> dict[str, Any]:
    """The moves from before a burn, give or take two evaluations, for as long as it burns.

    A rollback comes while it burns, and is not to blame.
    """
    of, service = _of(slo, severity), ", ".join(SERVICE)
    since = f"otel_agentops:slo_burn:since{of}"
    expr = f"""\
{VARIABLE}moved <= on ({service}) group_left () max by ({service}) ({since}) + {2 * clock.tick}
or
max without (slo, severity) (otel_agentops:slo_burn:moved{of} and on ({service}) {since})"""
    return rule("otel_agentops:slo_burn:moved", expr, slo=slo.name, severity=severity)


def _after_move_alert(slo: Slo, severity: str) -> dict[str, Any]:
    return {
        "alert": "OtelAgentopsBurnAfterMove",
        "expr": f"otel_agentops:slo_burn:moved{_of(slo, severity)}",
        "labels": _labels(slo, severity),
        "annotations": {
            "summary": f"{_SERVICE_TEXT} burns the error budget of {slo.name} ({_kind(slo)}) after {_MOVE_TEXT}",
            "description": f"{_promise(slo)} {_SEEN_TEXT}",
            "previous": "{{ $labels.previous }}",
            "value": "{{ $labels.value }}",
            **_facts(slo),
        },
    }


def _moved_alert() -> dict[str, Any]:
    return {
        "alert": "OtelAgentopsVariableMoved",
        "expr": f"{VARIABLE}moved",
        "labels": {"severity": "info"},
        "annotations": {
            "summary": f"{_SERVICE_TEXT}: {_MOVE_TEXT}",
            "description": _SEEN_TEXT,
            "service": _SERVICE_TEXT,
            "previous": "{{ $labels.previous }}",
            "value": "{{ $labels.value }}",
        },
    }


_SERVICE_TEXT = f"{{{{ $labels.{SERVICE[0]} }}}}"
_SEEN_TEXT = "The new value was first seen at {{ $value | humanizeTimestamp }}."
_MOVE_TEXT = "{{ $labels.variable }} of {{ $labels.scope }} moved from {{ $labels.previous }} to {{ $labels.value }}"


def _labels(slo: Slo, severity: str) -> dict[str, str]:
    return {"slo": slo.name, "severity": severity, "owner": _literal(slo.owner)}


def _of(slo: Slo, severity: str) -> str:
    return f"{{slo={quoted(slo.name)}, severity={quoted(severity)}}}"


def _kind(slo: Slo) -> str:
    return f"{SLIS[slo.sli].type}: {slo.sli}"


def _promise(slo: Slo) -> str:
    allowed = f"{number(slo.budget * 100)} % in {slo.window} may be {SLIS[slo.sli].bad}"
    proxy = " This is a proxy: it stands in for what users care about." if SLIS[slo.sli].type == "proxy" else ""
    return f"{allowed}.{proxy}"


def _notes_of(slo: Slo, severity: str) -> Iterator[str]:
    return (f"{text}." for burn in BURNS if burn.severity == severity and (text := _note(slo, burn)))


def _facts(slo: Slo) -> dict[str, str]:
    """What the spec says."""
    policy = {"trip_policy": slo.trip_policy} if slo.trip_policy else {}
    facts = {"slo": slo.name, "owner": slo.owner, "runbook": slo.runbook, **policy}
    return {"service": _SERVICE_TEXT} | {key: _literal(value) for key, value in facts.items()}


def _literal(text: str) -> str:
    """A text of the spec in a place where Prometheus reads templates."""
    return text.replace("{{", '{{ "{{" }}')


# -- text


def _readable(content: dict[str, Any]) -> dict[str, Any]:
    """With expressions of several lines as blocks."""
    groups = [{**group, "rules": [_block(each) for each in group["rules"]]} for group in content["groups"]]
    return {**content, "groups": groups}


def _block(made: dict[str, Any]) -> dict[str, Any]:
    expr = made["expr"]
    return {**made, "expr": LiteralScalarString(f"{expr}\n")} if "\n" in expr else made
