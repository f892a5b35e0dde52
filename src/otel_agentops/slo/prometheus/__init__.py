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
| `otel_agentops:slo_error:ratio` | SLI, slo | bad / events within the objective's window |
| `otel_agentops:truth_labels:increase` | SLI, truth_proxy, _verdict, _sampling | labels since the last evaluation |
| `otel_agentops:truth_delay:increase` | le | how late the random ones were |
| `otel_agentops:slo_truth:cell` | SLI, slo, truth_proxy, _verdict | random labels within the objective's window |
| `otel_agentops:slo_truth:labels`, `:coverage`, `:delay` | SLI, slo | random ones; all / events; median delay, s |
| `otel_agentops:slo_truth:ppv`, `:for`, `…_low`, `…_high` | SLI, slo | truly bad where the proxy says bad, good |
| `otel_agentops:slo_corrected:error`, `…_low`, `…_high` | SLI, slo | ppv * p + for * (1 - p), interval of 95 % |
| `otel_agentops:slo_corrected:remaining` | SLI, slo | the budget by that |
| `otel_agentops:slo_truth:disagrees` | SLI, slo | the proxy's ratio minus the labels', while they contradict |
| `otel_agentops:slo_truth:due` | SLI, slo | Unix time at which the next random label is overdue |
| `otel_agentops:slo_events:seen`, `:silence` | SLI without judge, slo | last event; how long a silence had been |
| `otel_agentops:collector:scraped`, `otel_agentops:rules:evaluated` | job, instance; rule_group | 1; Unix time |
| `otel_agentops:slo_burn:ratio` | SLI, slo, severity | error ratio of now, present while the budget burns |
| `otel_agentops:slo_burn:since` | SLI, slo, severity | Unix time at which that began |
| `otel_agentops:slo_burn:moved` | slo, severity, variable, scope, value, previous | Unix time of a move before it |
| `otel_agentops:variable:active` | variable, scope, value | observations within five minutes |
| `otel_agentops:variable:share`, `:share1h` | variable, scope, value | part of its scope, over 5 minutes and an hour |
| `otel_agentops:variable:share_before` | variable, scope, value, against | the same at an earlier time |
| `otel_agentops:variable:skewed` | variable, scope, place, value, elsewhere | Unix time since which it is |
| `otel_agentops:variable:drifted` | variable, scope, value, previous | Unix time of a model's undeclared move |
| `otel_agentops:variable:unlisted` | variable, scope, value | observations of what no lock file lists, in an hour |
| `otel_agentops:eval_set:stale` | eval set, reason; only the service | Unix time of the move or last evaluation |
| `otel_agentops:traffic:distance` | | part of the traffic that the day before did not have |
| `otel_agentops:variable:moved` | variable, scope, value, previous | Unix time of the move, for two hours |

Alerts: `OtelAgentopsErrorBudgetBurn` (severity page or ticket), `OtelAgentopsVariableMoved` (severity info),
`OtelAgentopsBurnAfterMove` (severity of the burn; one alert for each pair of a burn and a move that came before it),
`OtelAgentopsProxyDisagreesWithTruth`, `OtelAgentopsGroundTruthStale`, `OtelAgentopsNoData`,
`OtelAgentopsCollectorNotScraped`, `OtelAgentopsRulesStale` (ticket), `OtelAgentopsProxyWithoutTruth` (info).

A move is a value that became active in a scope that was active without it, also one that comes back after five minutes
or more; a value that gained a fifth of its scope over an hour or half of it over five minutes; and a mix of traffic of
which a fifth is another one. variable: model, prompt, tools, index, judge, traffic. A tool whose schema drifts is told
as `tools`, since the hash of the set moves with it; `active` has `tool` too. A new scope is no move.

`time_scale` divides every window and the interval of evaluation (60 s), while the names keep the nominal window: at 300
`ratio5m` and `increase1h` look at 4 and 12 seconds. The interval is never below a second, which wants a scrape each
second, and no window is below four intervals, so that from 75 on `5m`, and from 450 on `30m` too, stay at 4 s. Moves
are told after `5m` and for `2h`, and only in scopes that are older than `30m` and 12 intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from otel_agentops.slo._promql import Clock, duration
from otel_agentops.slo.moves import variable_rules
from otel_agentops.slo.prometheus._text import dump
from otel_agentops.slo.prometheus.budget import budget_rules
from otel_agentops.slo.prometheus.burn import BURNS, UnreachableError, burning_rules, note
from otel_agentops.slo.prometheus.health import health_rules, heartbeat, silence_rules
from otel_agentops.slo.prometheus.moves import move_alerts
from otel_agentops.slo.prometheus.ratios import WINDOWS, ratio_rules
from otel_agentops.slo.prometheus.standing import standing_alerts
from otel_agentops.slo.prometheus.trust import trust_rules
from otel_agentops.slo.prometheus.truth import incomparable, label_rules, truth_rules
from otel_agentops.slo.spec import Slo

__all__ = ["BURNS", "WINDOWS", "UnreachableError", "files", "notes", "rules", "text"]

SLOWEST, FASTEST = 1, 600  # at 600 an hour is six seconds


def rules(slos: Sequence[Slo], time_scale: float = 1.0) -> dict[str, Any]:
    """A rule file as data. Raises UnreachableError, or ValueError for a time scale that is not between 1 and 600."""
    if not SLOWEST <= time_scale <= FASTEST:
        raise ValueError(f"time_scale is {time_scale}; take one between {SLOWEST} and {FASTEST}")
    clock = Clock(time_scale)
    # Rules of one group are evaluated one after the other: what reads another series of now comes after it.
    groups = (
        ("otel_agentops_sli", clock.tick, [*ratio_rules(clock), *label_rules(clock), *burning_rules(slos, clock)]),
        ("otel_agentops_variables", clock.tick, [*variable_rules(clock), *move_alerts(slos, clock)]),
        ("otel_agentops_standing", clock.tick, [*standing_alerts()]),
        ("otel_agentops_budget", clock.seconds("5m", 1), [r for slo in slos for r in _slow_rules(slo, clock)]),
    )
    watched = [(name, interval, [heartbeat(name), *made]) for name, interval, made in groups if made]
    health = [*health_rules(clock, [(name, interval) for name, interval, _ in watched])]
    return {
        "groups": [
            {"name": name, "interval": duration(interval), "rules": made}
            for name, interval, made in (*watched, ("otel_agentops_health", clock.seconds("5m", 1), health))
        ],
    }


def _slow_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    for of in (budget_rules, truth_rules, trust_rules, silence_rules):
        yield from of(slo, clock)


def text(slos: Sequence[Slo], time_scale: float = 1.0) -> str:
    """The rule file of objectives, the same for the same objectives."""
    return dump(rules(slos, time_scale))


def notes(slos: Sequence[Slo]) -> list[str]:
    """What was done to an alert that could never fire, and what can never be known, one sentence each."""
    rescaled = [note(slo, burn) for slo in slos for burn in BURNS]
    return [text for text in (*rescaled, *map(incomparable, slos)) if text]


def files(slos: Sequence[Slo], time_scale: float = 1.0) -> dict[str, str]:
    """The rule file by its path below the output directory."""
    return {"prometheus/otel-agentops.rules.yaml": text(slos, time_scale)}
