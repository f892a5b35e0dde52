"""Prometheus rules of objectives: error ratios, budgets, burn alerts, and which variable moved.

The names of the series, with their labels, are in `otel_agentops.slo.series`.

Alerts: `OtelAgentopsErrorBudgetBurn` (severity page or ticket), `OtelAgentopsVariableMoved` (severity info),
`OtelAgentopsBurnAfterMove` (severity of the burn; one alert for each pair of a burn and a move that came before it),
`OtelAgentopsSlowRegression`, `OtelAgentopsProxyDisagreesWithTruth`, `OtelAgentopsGroundTruthStale`,
`OtelAgentopsNoData`, `OtelAgentopsNeverSeen`, `OtelAgentopsCollectorNotScraped`, `OtelAgentopsScrapedTooSeldom`,
`OtelAgentopsCountsMissing`, `OtelAgentopsRulesStale`, `OtelAgentopsTaskDoesNotEnd`,
`OtelAgentopsRateLimitNear` (ticket), `OtelAgentopsProxyWithoutTruth` (info).

A move is a value that became active in a scope that was active without it, also one that comes back after five minutes
or more; a value that gained a fifth of its scope over an hour or half of it over five minutes; or a mix of traffic of
which a fifth changed. The variables are model, prompt, tools, index, judge and traffic. A tool whose schema drifts is
reported as `tools`, since the hash of the set moves with it; `active` has `tool` too. A new scope is no move.

`time_scale` divides every window and the interval of evaluation (60 s), while the names keep the nominal window: at 300
`ratio5m` and `increase1h` look at 4 and 12 seconds. The interval is never below a second, which needs a scrape each
second, and no window is below four intervals, so that from 75 on `5m`, and from 450 on `30m` too, stay at 4 s. Moves
are reported after `5m` and for `2h`, and only in scopes that are older than `30m` and 12 intervals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from otel_agentops.slo._promql import Clock, Rule, RuleFile
from otel_agentops.slo.evidence import build_evidence_rules, build_history_rules, build_surface_rules
from otel_agentops.slo.links import NO_LINKS, Links, add_links
from otel_agentops.slo.moves import build_variable_rules
from otel_agentops.slo.prometheus._text import render_resource, render_yaml
from otel_agentops.slo.prometheus.budget import build_budget_rules
from otel_agentops.slo.prometheus.burn import build_burn_rules
from otel_agentops.slo.prometheus.endless import build_endless_alert
from otel_agentops.slo.prometheus.headroom import build_headroom_alert
from otel_agentops.slo.prometheus.health import build_health_rules, build_heartbeat, build_silence_rules
from otel_agentops.slo.prometheus.moves import build_move_alerts
from otel_agentops.slo.prometheus.ratios import WINDOWS, build_ratio_rules, build_usual_rules
from otel_agentops.slo.prometheus.regression import build_regression_rules
from otel_agentops.slo.prometheus.standing import build_standing_alerts
from otel_agentops.slo.prometheus.trust import build_trust_rules
from otel_agentops.slo.prometheus.truth import build_label_rules, build_truth_rules
from otel_agentops.slo.prometheus.unseen import build_unseen_rules
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_duration

__all__ = ["FORMATS", "WINDOWS", "build_rules", "files", "render_rules"]

SLOWEST, FASTEST = 1, 600  # at 600 an hour is six seconds
FORMATS = ("plain", "prometheusrule")  # files of rules; a resource of the Prometheus Operator


def build_rules(
    slos: Sequence[Slo], time_scale: float = 1.0, links: Links = NO_LINKS, evaluation_delay: float = 0
) -> RuleFile:
    """Build a rule file as data.

    Args:
        slos: The objectives.
        time_scale: How many times faster everything is.
        links: Addresses for the alerts.
        evaluation_delay: Seconds for which a sample may be on its way, before the rules have to see it.

    Raises:
        UnreachableError: If no alert is left for an objective.
        ValueError: If the time scale is not between 1 and 600.
    """
    if not SLOWEST <= time_scale <= FASTEST:
        raise ValueError(f"time_scale is {time_scale}; take one between {SLOWEST} and {FASTEST}")
    clock = Clock(time_scale, evaluation_delay)
    # Prometheus evaluates the rules of a group in order: a rule comes after the series of now that it reads.
    groups = (
        (
            "otel_agentops_sli",
            clock.tick,
            [*build_ratio_rules(clock), *build_label_rules(clock), *build_burn_rules(slos, clock)],
        ),
        ("otel_agentops_variables", clock.tick, [*build_variable_rules(clock), *build_move_alerts(slos, clock)]),
        ("otel_agentops_evidence", clock.tick, build_evidence_rules(clock)),
        # The rules of evidence and those of surfaces do not read each other, so that two cores can share them.
        ("otel_agentops_surfaces", clock.tick, [*build_surface_rules(clock)]),
        ("otel_agentops_history", clock.to_seconds("5m", 1), build_history_rules(clock)),
        ("otel_agentops_standing", clock.tick, [*build_standing_alerts()]),
        ("otel_agentops_budget", clock.to_seconds("5m", 1), [*_build_slow_rules(slos, clock)]),
    )
    rule_groups = [
        (name, interval, [build_heartbeat(name), *group_rules]) for name, interval, group_rules in groups if group_rules
    ]
    intervals = [(name, interval) for name, interval, _ in rule_groups]
    health = [*build_health_rules(clock, intervals), build_endless_alert(clock), build_headroom_alert(clock)]
    return {
        "groups": [
            {
                "name": name,
                "interval": format_duration(interval),
                "rules": [add_links(rule, links) for rule in group_rules],
            }
            for name, interval, group_rules in (
                *rule_groups,
                ("otel_agentops_health", clock.to_seconds("5m", 1), health),
            )
        ],
    }


def _build_slow_rules(slos: Sequence[Slo], clock: Clock) -> Iterator[Rule]:
    """Yield the rules that a look each five minutes is enough for; most of them by objective."""
    if slos:
        yield from (*build_usual_rules(clock), *build_regression_rules(slos, clock))
    for slo in slos:
        for build in (
            build_budget_rules,
            build_truth_rules,
            build_trust_rules,
            build_silence_rules,
            build_unseen_rules,
        ):
            yield from build(slo, clock)


def render_rules(slos: Sequence[Slo], time_scale: float = 1.0, links: Links = NO_LINKS) -> str:
    """Render the rule file, the same for the same objectives."""
    return render_yaml(build_rules(slos, time_scale, links))


def files(
    slos: Sequence[Slo],
    time_scale: float = 1.0,
    links: Links = NO_LINKS,
    formats: Collection[str] = FORMATS[:1],
    evaluation_delay: float = 0,
) -> dict[str, str]:
    """Return the rules in each format by its path below the output directory."""
    content = build_rules(slos, time_scale, links, evaluation_delay)
    texts = {
        "plain": ("prometheus/otel-agentops.rules.yaml", render_yaml),
        "prometheusrule": ("prometheus/otel-agentops.prometheusrule.yaml", render_resource),
    }
    return {path: render(content) for name, (path, render) in texts.items() if name in formats}
