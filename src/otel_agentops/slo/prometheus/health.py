"""Health of the pipeline: a service fell silent, a collector is not scraped, rules do not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, quote_string
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, build_alert, select_indicator, select_slo
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator

# The judge's revision is left out: an old one falls silent for good, and rightly so.
_WHO = ", ".join((*SERVICE, A.SLI_NAME.replace(".", "_"), A.SLI_TYPE.replace(".", "_")))


def build_silence_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the time of the last event, the length of each silence, and the alert.

    The alert fires when a silence is twice as long as the longest of the window, and at least an hour: nights and
    weekends are in a service's own history, and so is one task a day. A service is not judged before it is eight days
    old: at a week the first weekend is in its history only when the first task of Monday has come.
    """
    of, day, window = select_slo(slo), clock.to_duration("1d"), clock.to_seconds(slo.window)
    now = f"group by ({_WHO}) ({S.name_window(S.SLI_EVENTS_INCREASE, '5m')}{select_indicator(slo)} > 0)"
    before = f"max without (slo) (last_over_time({S.SLO_EVENTS_SEEN}{of}[{day}]))"
    # This rule comes first, while `seen` is that of the evaluation before.
    yield make_rule(S.SLO_EVENTS_SILENCE, f"{now} * time() - {before}", slo=slo.name)
    yield make_rule(S.SLO_EVENTS_SEEN, f"{now} * time()\nor\n{before} > time() - {window:g}", slo=slo.name)
    yield _build_silence_alert(slo, clock, of)


def _build_silence_alert(slo: Slo, clock: Clock, of: str) -> Rule:
    longest = f"max_over_time({S.SLO_EVENTS_SILENCE}{of}[{clock.to_duration(slo.window)}])"
    expr = f"""\
time() - {S.SLO_EVENTS_SEEN}{of} > clamp_min(2 * {longest}, {clock.to_seconds("1h"):g})
and group by ({_WHO}, slo) ({S.SLO_EVENTS_INCREASE}{of} offset {clock.to_duration("8d")})"""
    texts = {
        "summary": f"{SERVICE_TEXT} has no data for {slo.name} ({describe_indicator(slo)})",
        "description": "No event for {{ $value | humanizeDuration }}, more than twice the longest silence of the last "
        f"{slo.window}. The budget says nothing about this time: is the service in use, is it instrumented, does the "
        "collector count?",
    }
    silence = build_alert("OtelAgentopsNoData", expr, slo, "ticket", texts)
    # If Prometheus itself was away, the first events come after its first evaluations.
    return {**silence, "for": clock.to_duration("15m")}


def build_health_rules(clock: Clock, groups: Sequence[tuple[str, float]]) -> Iterator[Rule]:
    """Yield the rules of the collector's target and of the rule groups.

    Args:
        clock: The time scale.
        groups: Name and interval in seconds of each group.
    """
    counters = f"group by (job, instance) ({M.METRICS[M.SLI_EVENTS].prometheus})"
    yield make_rule(S.COLLECTOR_SCRAPED, f"group by (job, instance) (up == 1 and on (job, instance) {counters})")
    yield _build_target_alert(clock)
    yield _build_rules_alert(groups, clock)


def build_heartbeat(group: str) -> Rule:
    """Return the rule that records when its group was evaluated."""
    return make_rule(S.RULES_EVALUATED, "vector(time())", rule_group=_shorten_group(group))


def _build_target_alert(clock: Clock) -> Rule:
    """Build the alert of a lost target.

    Pods come and go, so it counts only if its job has none left.
    """
    scraped_targets = f"last_over_time({S.COLLECTOR_SCRAPED}[{clock.to_duration('1d')}])"
    expr = f"""\
group by (job, instance) ({scraped_targets}) and on (job, instance) up == 0
or
group by (job) ({scraped_targets} unless on (job) up)"""
    return {
        "alert": "OtelAgentopsCollectorNotScraped",
        "expr": expr,
        "for": clock.to_duration("15m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "the collector {{ $labels.job }} {{ $labels.instance }} is not scraped any more",
            "description": "What it counts is in no budget until it is back, and is lost where it restarts meanwhile.",
        },
    }


def _build_rules_alert(groups: Sequence[tuple[str, float]], clock: Clock) -> Rule:
    """Build the alert of five missed evaluations.

    No rule can tell that Prometheus itself is gone. After a restart this group may run first, so the alert waits until
    all others have had their turn.
    """
    heartbeats = (
        (f"{S.RULES_EVALUATED}{{rule_group={quote_string(_shorten_group(name))}}}", interval)
        for name, interval in groups
    )
    late = (f"time() - last_over_time({series}[1d]) > {5 * interval:g}" for series, interval in heartbeats)
    return {
        "alert": "OtelAgentopsRulesStale",
        "expr": "\nor\n".join(late),
        "for": clock.to_duration("5m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "the rules of {{ $labels.rule_group }} are not evaluated",
            "description": "For {{ $value | humanizeDuration }}: budgets and alerts stand still. Prometheus tells why "
            "on its page of rules.",
        },
    }


def _shorten_group(group: str) -> str:
    return group.rpartition("_")[2]
