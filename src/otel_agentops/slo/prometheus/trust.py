"""How far a proxy can be trusted: it contradicts the labels, they have stopped, or there never were any.

A proxy that claims at least twice what the labels find wakes nobody: its page becomes a ticket. A proxy that finds too
little keeps its page, because what it does find is true.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.ground_truth import has_comparable_proxy
from otel_agentops.slo.prometheus.objective import (
    OF,
    SERVICE_TEXT,
    build_alert,
    select_indicator,
    select_slo,
    show_value,
)
from otel_agentops.slo.prometheus.truth import count_random_labels
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number
from otel_agentops.slo.wording import describe_indicator

# The rule runs every five minutes, so it takes an interval of 99.7 %, which is half as wide again as that of 95 %.
_BEYOND = 1.5


def build_trust_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield rules and alerts; they read the truth's rules and come after them."""
    if not has_comparable_proxy(slo):
        return
    yield make_rule(S.SLO_TRUTH_DISAGREES, _express_disagreement(slo), slo=slo.name)
    yield make_rule(S.SLO_TRUTH_DUE, _express_due(slo, clock), slo=slo.name)
    yield from (_build_disagreement_alert(slo), _build_stale_alert(slo), _build_unlabelled_alert(slo, clock))


def express_distrust(slo: Slo, clock: Clock) -> str:
    """Return a condition that holds while the proxy may not page.

    It looks at two evaluations, so that there is no gap between them.
    """
    return f"last_over_time({S.SLO_TRUTH_DISAGREES}{select_slo(slo)}[{clock.to_duration('10m')}]) > 0"


def compare_with_truth(slo: Slo) -> str:
    """Return the annotation of what labels say of a proxy."""
    if not has_comparable_proxy(slo):
        return "No label of a task can say how often it is right."
    sentence = f'{OF}{{{{ if printf "{S.SLO_CORRECTED_ERROR}%s" $of | query }}}}{_describe_both(slo)}'
    return f"{sentence}{{{{ else }}}}Too few random labels say how often it is right.{{{{ end }}}}"


def _describe_both(slo: Slo) -> str:
    """Describe the proxy's number beside that of the labels, after OF."""
    error, corrected, low, high = (
        show_value(name, "humanizePercentage")
        for name in (
            S.SLO_ERROR_RATIO,
            S.SLO_CORRECTED_ERROR,
            *(S.name_bound(S.SLO_CORRECTED_ERROR, bound) for bound in ("low", "high")),
        )
    )
    count = show_value(S.SLO_TRUTH_LABELS, "printf `%.0f`")
    return (
        f"Over {slo.window} the proxy says that {error} are bad; by {count} random labels it is {corrected}, between "
        f"{low} and {high} with 95 % confidence."
    )


# -- series


def _express_disagreement(slo: Slo) -> str:
    """Return how far the proxy's error ratio is above that of the labels.

    It is negative if the ratio is below. Above, the difference is half a budget or more and the ratio at least twice as
    high. Below, it is half a budget or more while the proxy says that the objective is met. Both differences are beyond
    chance.
    """
    p, error = f"{S.SLO_ERROR_RATIO}{select_slo(slo)}", f"{S.SLO_CORRECTED_ERROR}{select_slo(slo)}"
    low, high = (f"{S.name_bound(S.SLO_CORRECTED_ERROR, bound)}{select_slo(slo)}" for bound in ("low", "high"))
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


def _express_due(slo: Slo, clock: Clock) -> str:
    """Return when the next random label is overdue.

    That is after three times the usual gap between days with labels. The rule computes it when labels come, and keeps
    it until the next do. A team that labels on work days has a long weekend for it, a team that labels once a week
    three weeks.
    """
    window, day = clock.to_seconds(slo.window), clock.to_duration("1d")
    days = f"count_over_time(({count_random_labels(slo, clock, '1d')} > 0)[{clock.to_duration(slo.window)}:{day}])"
    return f"""\
({count_random_labels(slo, clock, "5m")} > 0) * 0 + time() + {3 * window:g} / {days}
or
max without (slo) (last_over_time({S.SLO_TRUTH_DUE}{select_slo(slo)}[{day}]) > time() - {window:g})"""


# -- alerts


def _build_disagreement_alert(slo: Slo) -> Rule:
    silenced = " Until they agree it wakes nobody: its page is a ticket." if slo.severity == "page" else ""
    verdict = (
        f"{{{{ if gt $value 0.0 }}}}It claims at least twice what is true.{silenced}"
        "{{ else }}It misses failures: less of the budget is left than it says.{{ end }}"
    )
    summary = f"{SERVICE_TEXT}: the proxy of {slo.name} contradicts the truth ({describe_indicator(slo)})"
    texts = {"summary": summary, "description": verdict, "truth": f"{OF}{_describe_both(slo)}"}
    return build_alert(
        "OtelAgentopsProxyDisagreesWithTruth", f"{S.SLO_TRUTH_DISAGREES}{select_slo(slo)}", slo, "ticket", texts
    )


def _build_stale_alert(slo: Slo) -> Rule:
    """Build the alert of labels that have stopped.

    An indicator or a judge's revision without events needs none.
    """
    expr = f"""\
time() - {S.SLO_TRUTH_DUE}{select_slo(slo)} > 0
and on ({", ".join(SLI)}) {S.name_window(S.SLI_EVENTS_INCREASE, "3d")}{select_indicator(slo)} > 0"""
    texts = {
        "summary": f"{SERVICE_TEXT}: nobody labels the tasks of {slo.name} any more ({describe_indicator(slo)})",
        "description": "For more than three times as long as usual no random label has come; it is overdue by "
        "{{ $value | humanizeDuration }}. What is said about the proxy rests on older ones.",
    }
    return build_alert("OtelAgentopsGroundTruthStale", expr, slo, "ticket", texts)


def _build_unlabelled_alert(slo: Slo, clock: Clock) -> Rule:
    """Build the alert of a proxy without any truth.

    It waits for a week, since labels come late.
    """
    events, week = f"{S.SLO_EVENTS_INCREASE}{select_slo(slo)}", clock.to_duration("7d")
    expr = f"""\
{events} > 0
and {events} offset {week} > 0
and on ({", ".join(SLI)}) {S.name_window(S.SLI_EVENTS_INCREASE, "3d")}{select_indicator(slo)} > 0
unless {S.SLO_TRUTH_LABELS}{select_slo(slo)} > 0"""
    texts = {
        "summary": f"{SERVICE_TEXT}: nobody knows whether the proxy of {slo.name} is right ({describe_indicator(slo)})",
        "description": f"In {slo.window} it judged {{{{ $value | printf `%.0f` }}}} events, and the truth is known of "
        "no random sample of them. Label some, drawn by chance: sampling: random.",
    }
    return build_alert("OtelAgentopsProxyWithoutTruth", expr, slo, "info", texts)
