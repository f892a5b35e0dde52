"""Budgets: what is left of an objective's promise in its window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.slo._promql import Clock, number, quoted, rule
from otel_agentops.slo.prometheus.objective import selector
from otel_agentops.slo.spec import Slo


def budget_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """Of all events of the window, and not a mean of ratios: a quiet night weighs as much as it had events."""
    yield rule("otel_agentops:slo_objective:ratio", f"vector({number(1 - slo.budget)})", slo=slo.name)
    for half in ("events", "bad"):
        summed = f"sum_over_time(otel_agentops:sli_{half}:increase{selector(slo)}[{clock.samples(slo.window)}])"
        yield rule(f"otel_agentops:slo_{half}:increase", summed, slo=slo.name)
    of = f"{{slo={quoted(slo.name)}}}"
    bad, events = (f"otel_agentops:slo_{half}:increase{of}" for half in ("bad", "events"))
    yield rule("otel_agentops:slo_error:ratio", f"{bad} / ({events} > 0)", slo=slo.name)
    remaining = f"1 - otel_agentops:slo_error:ratio{of} / {number(slo.budget)}"
    yield rule("otel_agentops:slo_budget:remaining", remaining, slo=slo.name)
