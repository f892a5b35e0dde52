"""Budgets: what is left of an objective's budget in its window."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.prometheus.objective import select_indicator, select_slo
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number


def build_budget_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the budget over all events of the window.

    It is no mean of ratios: a quiet night weighs as much as it had events.
    """
    yield make_rule(S.SLO_OBJECTIVE_RATIO, f"vector({format_number(1 - slo.budget)})", slo=slo.name)
    halves = ((S.SLO_EVENTS_INCREASE, S.SLI_EVENTS_INCREASE), (S.SLO_BAD_INCREASE, S.SLI_BAD_INCREASE))
    for record, series in halves:
        yield make_rule(
            record, f"sum_over_time({series}{select_indicator(slo)}[{clock.to_range(slo.window)}])", slo=slo.name
        )
    of = select_slo(slo)
    bad, events = f"{S.SLO_BAD_INCREASE}{of}", f"{S.SLO_EVENTS_INCREASE}{of}"
    yield make_rule(S.SLO_ERROR_RATIO, f"{bad} / ({events} > 0)", slo=slo.name)
    remaining = f"1 - {S.SLO_ERROR_RATIO}{of} / {format_number(slo.budget)}"
    yield make_rule(S.SLO_BUDGET_REMAINING, remaining, slo=slo.name)
