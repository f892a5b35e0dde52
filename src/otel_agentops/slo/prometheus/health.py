"""Health of the pipeline: a service fell silent, a collector is not scraped, rules do not run or miss events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, quote_string
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, build_alert, select_indicator, select_slo
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import describe_window, format_duration
from otel_agentops.slo.wording import describe_indicator

# The judge's revision is left out: an old one falls silent for good, and rightly so. A judge does not.
_WHO = ", ".join(label for label in SLI if label != S.spell_label(A.JUDGE_REVISION))

_JUDGE = f"$labels.{S.spell_label(A.JUDGE_NAME)}"
_OF_JUDGE = f"{{{{ if {_JUDGE} }}}} of the judge {{{{ {_JUDGE} }}}}{{{{ end }}}}"
_MISSING = 0.05  # part of the events; the ends of two hours that are compared differ by less, for a quarter of an hour
_FEWEST = 20  # events


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
        "summary": f"{SERVICE_TEXT} has no data for {slo.name} ({describe_indicator(slo)}){_OF_JUDGE}",
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
    yield _build_seldom_alert(clock)
    yield _build_missing_alert(clock)
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


def _build_seldom_alert(clock: Clock) -> Rule:
    """Build the alert of a target that is scraped less often than the rules are evaluated.

    A pod that is gone has no samples any more before the alert fires; a target that always fails has its own alert.
    """
    window = clock.to_duration("10m", 10)  # ten evaluations
    scrapes = f"sum_over_time(up[{window}])"
    return {
        "alert": "OtelAgentopsScrapedTooSeldom",
        "expr": f"""\
{scrapes} > 0 < 8
and on (job, instance) last_over_time({S.COLLECTOR_SCRAPED}[{clock.to_duration("15m")}] offset {window})""",
        "for": clock.to_duration("15m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": "the collector {{ $labels.job }} {{ $labels.instance }} is scraped too seldom",
            "description": "{{ $value }} successful scrapes in ten minutes: moves and burns are reported late. Set "
            "`scrape_interval` of its job to 15s, a minute at most; if scrapes fail, Prometheus' page of targets tells "
            "why.",
        },
    }


def _build_missing_alert(clock: Clock) -> Rule:
    """Build the alert of events that the collector counted and the rules did not.

    It compares an hour of increments with the counters themselves; of these only series that are older and were not
    reset, so that the difference is never too large. Rules that are younger than that have seen less, and rightly so.
    """
    who = f"sum by ({', '.join(SLI)})"
    metric, once, _hour = M.METRICS[M.SLI_EVENTS].prometheus, clock.to_duration("5m"), clock.to_duration("1h")
    earlier = format_duration(clock.to_seconds("1h") + clock.to_seconds("5m"))
    last = f"last_over_time({metric}[{once}] offset {{}})"
    both = f"{last.format(once)} - {last.format(earlier)} unless resets({metric}[{earlier}]) > 0"
    increments = f"sum_over_time({S.SLI_EVENTS_INCREASE}[{clock.to_range('1h')}] offset {once})"
    started = f'{S.RULES_EVALUATED}{{rule_group="sli"}} offset {earlier}'
    grown = f"{who} ({both})"
    return {
        "alert": "OtelAgentopsCountsMissing",
        "expr": f"""\
1 - ({increments} or {grown} * 0) / ({grown} >= {_FEWEST}) > {_MISSING}
and on () {started}""",
        "for": clock.to_duration("15m"),
        "labels": {"severity": "ticket"},
        "annotations": {
            "summary": f"the rules miss {{{{ $value | humanizePercentage }}}} of the events of {SERVICE_TEXT}",
            "description": f"Within {describe_window('1h')} the collector counted more {{{{ $labels.{S.SLI_NAME} }}}}. "
            "Samples come later than the rules wait for them: run `otel-agentops slo generate --evaluation-delay 30`, "
            "or set `rule_query_offset` (Prometheus 2.53 or newer). If "
            "`prometheus_rule_group_iterations_missed_total` grows, evaluations are left out: give Prometheus more "
            "CPU.",
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
