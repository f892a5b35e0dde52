"""The sentences about an objective that every backend shows."""

from __future__ import annotations

from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number


def describe_indicator(slo: Slo) -> str:
    """Return the indicator with its type: `proxy: task_completed`."""
    return f"{slo.indicator.type}: {slo.indicator.name}"


def describe_promise(slo: Slo) -> str:
    """Return what the objective allows; a proxy is called one."""
    allowed = f"{format_number(slo.budget * 100)} % in {slo.window} may be {slo.indicator.about}"
    proxy = " This is a proxy: it stands in for what users care about." if slo.indicator.type == "proxy" else ""
    return f"{allowed}.{proxy}"
