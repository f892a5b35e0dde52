"""Whether the numbers still come: a service fell silent, a collector is not scraped, rules do not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, quoted, rule
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, alert, selector
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator

# Without the judge's revision: an old one falls silent for good, and rightly so.
_WHO = ", ".join((*SERVICE, A.SLI_NAME.replace(".", "_"), A.SLI_TYPE.replace(".", "_")))


def silence_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """When there was an event last, how long each silence was, and the alert.

    A silence is told when it is twice as long as the longest of the window, and at least an hour: nights and weekends
    are in a service's own history, and so is one task a day. Who has no week of history yet is not judged.
    """
    of, day, window = f"{{slo={quoted(slo.name)}}}", clock.window("1d"), clock.seconds(slo.window)
    now = f"group by ({_WHO}) ({S.name_window(S.SLI_EVENTS_INCREASE, '5m')}{selector(slo)} > 0)"
    before = f"max without (slo) (last_over_time({S.SLO_EVENTS_SEEN}{of}[{day}]))"
    # first, while `seen` is that of the evaluation before
    yield rule(S.SLO_EVENTS_SILENCE, f"{now} * time() - {before}", slo=slo.name)
    yield rule(S.SLO_EVENTS_SEEN, f"{now} * time()\nor\n{before} > time() - {window:g}", slo=slo.name)
    yield _silence_alert(slo, clock, of)


def _silence_alert(slo: Slo, clock: Clock, of: str) -> dict[str, Any]:
    longest = f"max_over_time({S.SLO_EVENTS_SILENCE}{of}[{clock.window(slo.window)}])"
    expr = f"""\
time() - {S.SLO_EVENTS_SEEN}{of} > clamp_min(2 * {longest}, {clock.seconds("1h"):g})
and group by ({_WHO}, slo) ({S.SLO_EVENTS_INCREASE}{of} offset {clock.window("7d")})"""
    texts = {
        "summary": f"{SERVICE_TEXT} has no data for {slo.name} ({describe_indicator(slo)})",
        "description": "No event for {{ $value | humanizeDuration }}, more than twice the longest silence of the last "
        f"{slo.window}. The budget says nothing about this time: is the service in use, is it instrumented, does the "
        "collector count?",
    }
    made = alert("OtelAgentopsNoData", expr, slo, "ticket", texts)
    return {**made, "for": clock.window("15m")}  # where Prometheus was away itself, the first events come after it


def health_rules(clock: Clock, groups: Sequence[tuple[str, float]]) -> Iterator[dict[str, Any]]:
    """The collector's target, and the rule groups by name and interval."""
    counted = f"group by (job, instance) ({M.METRICS[M.SLI_EVENTS].prometheus})"
    yield rule(S.COLLECTOR_SCRAPED, f"group by (job, instance) (up == 1 and on (job, instance) {counted})")
    yield _target_alert(clock)
    yield _rules_alert(groups, clock)


def heartbeat(group: str) -> dict[str, Any]:
    """When a group of rules was evaluated."""
    return rule(S.RULES_EVALUATED, "vector(time())", rule_group=_short(group))


def _target_alert(clock: Clock) -> dict[str, Any]:
    """Pods come and go; so a target that is gone counts only where its job has none left."""
    known = f"last_over_time({S.COLLECTOR_SCRAPED}[{clock.window('1d')}])"
    expr = f"""\
group by (job, instance) ({known}) and on (job, instance) up == 0
or
group by (job) ({known} unless on (job) up)"""
    return {
        "alert": "OtelAgentopsCollectorNotScraped",
        "expr": expr,
        "for": clock.window("15m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "the collector {{ $labels.job }} {{ $labels.instance }} is not scraped any more",
            "description": "What it counts is in no budget until it is back, and is lost where it restarts meanwhile.",
        },
    }


def _rules_alert(groups: Sequence[tuple[str, float]], clock: Clock) -> dict[str, Any]:
    """Five evaluations were missed. That Prometheus itself is gone, no rule of it can tell.

    When it comes back, this group may be the first: so once more, after all have had their turn.
    """
    late = (
        f"time() - last_over_time({S.RULES_EVALUATED}{{rule_group={quoted(_short(name))}}}[1d]) > {5 * interval:g}"
        for name, interval in groups
    )
    return {
        "alert": "OtelAgentopsRulesStale",
        "expr": "\nor\n".join(late),
        "for": clock.window("5m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "the rules of {{ $labels.rule_group }} are not evaluated",
            "description": "For {{ $value | humanizeDuration }}: budgets and alerts stand still. Prometheus tells why "
            "on its page of rules.",
        },
    }


def _short(group: str) -> str:
    return group.rpartition("_")[2]
