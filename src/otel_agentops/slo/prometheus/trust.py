"""How far a proxy can be trusted: it contradicts the labels, they have stopped, or there never were any.

A proxy that claims at least twice what the labels find wakes nobody: what would be its page is a ticket. One that finds
too little keeps its page, because what it does find is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, quoted, rule
from otel_agentops.slo.ground_truth import has_comparable_proxy
from otel_agentops.slo.prometheus.objective import OF, SERVICE_TEXT, alert, selector, told
from otel_agentops.slo.prometheus.truth import random_labels
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number
from otel_agentops.slo.wording import describe_indicator

# The question is asked anew every five minutes: half as far again as an interval of 95 % is one of 99.7 %.
_BEYOND = 1.5


def trust_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """After the truth's rules, which they read."""
    if not has_comparable_proxy(slo):
        return
    yield rule(S.SLO_TRUTH_DISAGREES, _disagrees(slo), slo=slo.name)
    yield rule(S.SLO_TRUTH_DUE, _due(slo, clock), slo=slo.name)
    yield from (_disagreement_alert(slo), _stale_alert(slo), _without_alert(slo, clock))


def claims_too_much(slo: Slo, clock: Clock) -> str:
    """Present while the proxy may not page; over two evaluations, so that there is no gap between them."""
    return f"last_over_time({S.SLO_TRUTH_DISAGREES}{_of(slo)}[{clock.window('10m')}]) > 0"


def both_if_known(slo: Slo) -> str:
    """What labels say of a proxy, or that it is not known, or never will be."""
    if not has_comparable_proxy(slo):
        return "No label of a task can say how often it is right."
    known = f'{OF}{{{{ if printf "{S.SLO_CORRECTED_ERROR}%s" $of | query }}}}{_both(slo)}'
    return f"{known}{{{{ else }}}}Too few random labels say how often it is right.{{{{ end }}}}"


def _both(slo: Slo) -> str:
    """The proxy's number beside that of the labels, in an annotation that begins with OF."""
    error, corrected, low, high = (
        told(name, "humanizePercentage")
        for name in (
            S.SLO_ERROR_RATIO,
            S.SLO_CORRECTED_ERROR,
            *(S.name_bound(S.SLO_CORRECTED_ERROR, bound) for bound in ("low", "high")),
        )
    )
    count = told(S.SLO_TRUTH_LABELS, "printf `%.0f`")
    return (
        f"Over {slo.window} the proxy says that {error} are bad; by {count} random labels it is {corrected}, between "
        f"{low} and {high} with 95 % confidence."
    )


# -- series


def _disagrees(slo: Slo) -> str:
    """By how much the proxy's error ratio is above that of the labels or, negative, below.

    Above: by half a budget and at least twice as high. Below: by half a budget, while the proxy says that the promise
    is kept. Both farther than chance goes.
    """
    p, error = f"{S.SLO_ERROR_RATIO}{_of(slo)}", f"{S.SLO_CORRECTED_ERROR}{_of(slo)}"
    low, high = (f"{S.name_bound(S.SLO_CORRECTED_ERROR, bound)}{_of(slo)}" for bound in ("low", "high"))
    half, budget = format_number(slo.budget / 2), format_number(slo.budget)
    return f"""\
({p} - {error}) and (
  {p} - {error} > {half}
  and {p} >= 2 * {error}
  and {p} - {error} > {_BEYOND} * ({high} - {error})
  or
  {error} - {p} > {half}
  and {p} <= {budget}
  and {error} - {p} > {_BEYOND} * ({error} - {low})
)"""


def _due(slo: Slo, clock: Clock) -> str:
    """When the next random label is overdue: three times the usual time between two days with labels.

    It is worked out when labels come, and stands until the next do. Who labels on work days has a long weekend for it,
    who labels once a week three weeks.
    """
    window, day = clock.seconds(slo.window), clock.window("1d")
    days = f"count_over_time(({random_labels(slo, clock, '1d')} > 0)[{clock.window(slo.window)}:{day}])"
    return f"""\
({random_labels(slo, clock, "5m")} > 0) * 0 + time() + {3 * window:g} / {days}
or
max without (slo) (last_over_time({S.SLO_TRUTH_DUE}{_of(slo)}[{day}]) > time() - {window:g})"""


# -- alerts


def _disagreement_alert(slo: Slo) -> dict[str, Any]:
    silenced = " Until they agree it wakes nobody: its page is a ticket." if slo.severity == "page" else ""
    verdict = (
        f"{{{{ if gt $value 0.0 }}}}It claims at least twice what is true.{silenced}"
        "{{ else }}It misses failures: less of the budget is left than it says.{{ end }}"
    )
    summary = f"{SERVICE_TEXT}: the proxy of {slo.name} contradicts the truth ({describe_indicator(slo)})"
    texts = {"summary": summary, "description": verdict, "truth": f"{OF}{_both(slo)}"}
    return alert("OtelAgentopsProxyDisagreesWithTruth", f"{S.SLO_TRUTH_DISAGREES}{_of(slo)}", slo, "ticket", texts)


def _stale_alert(slo: Slo) -> dict[str, Any]:
    """Not of an indicator, or a revision of a judge, that has no events any more."""
    expr = f"""\
time() - {S.SLO_TRUTH_DUE}{_of(slo)} > 0
and on ({", ".join(SLI)}) {S.name_window(S.SLI_EVENTS_INCREASE, "3d")}{selector(slo)} > 0"""
    texts = {
        "summary": f"{SERVICE_TEXT}: nobody labels the tasks of {slo.name} any more ({describe_indicator(slo)})",
        "description": "For more than three times as long as usual no random label has come; it is overdue by "
        "{{ $value | humanizeDuration }}. What is said about the proxy rests on older ones.",
    }
    return alert("OtelAgentopsGroundTruthStale", expr, slo, "ticket", texts)


def _without_alert(slo: Slo, clock: Clock) -> dict[str, Any]:
    """After a week: labels come late."""
    events, week = f"{S.SLO_EVENTS_INCREASE}{_of(slo)}", clock.window("7d")
    expr = f"""\
{events} > 0
and {events} offset {week} > 0
and on ({", ".join(SLI)}) {S.name_window(S.SLI_EVENTS_INCREASE, "3d")}{selector(slo)} > 0
unless {S.SLO_TRUTH_LABELS}{_of(slo)} > 0"""
    texts = {
        "summary": f"{SERVICE_TEXT}: nobody knows whether the proxy of {slo.name} is right ({describe_indicator(slo)})",
        "description": f"In {slo.window} it judged {{{{ $value | printf `%.0f` }}}} events, and the truth is known of "
        "no random sample of them. Label some, drawn by chance: sampling: random.",
    }
    return alert("OtelAgentopsProxyWithoutTruth", expr, slo, "info", texts)


def _of(slo: Slo) -> str:
    return f"{{slo={quoted(slo.name)}}}"
