"""Error ratios of each indicator: what was counted in the windows that alerts look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import Clock, grown, rule
from otel_agentops.slo.prometheus.objective import SLI

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def ratio_rules(clock: Clock) -> Iterator[dict[str, Any]]:
    """Counts to the unit, their sums over each window, and the ratios of those."""
    by = f"sum by ({', '.join(SLI)})"
    for half, metric in (("events", M.SLI_EVENTS), ("bad", M.SLI_BAD)):
        yield rule(f"otel_agentops:sli_{half}:increase", f"{by} (\n  {grown(M.METRICS[metric].prometheus, clock)}\n)")
    for window in WINDOWS:
        for half in ("events", "bad"):
            summed = f"sum_over_time(otel_agentops:sli_{half}:increase[{clock.samples(window)}])"
            yield rule(f"otel_agentops:sli_{half}:increase{window}", summed)
        bad, events = (f"otel_agentops:sli_{half}:increase{window}" for half in ("bad", "events"))
        yield rule(f"otel_agentops:sli_error:ratio{window}", f"{bad} / ({events} > 0)")
