"""Error ratios of each indicator in the windows that alerts look at."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule
from otel_agentops.slo.series import SLI

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def build_ratio_rules(clock: Clock) -> Iterator[Rule]:
    """Yield counts to the unit, their sums over each window, and the ratios."""
    by = f"sum by ({', '.join(SLI)})"
    for record, metric in ((S.SLI_EVENTS_INCREASE, M.SLI_EVENTS), (S.SLI_BAD_INCREASE, M.SLI_BAD)):
        yield make_rule(record, f"{by} (\n  {express_growth(M.METRICS[metric].prometheus, clock)}\n)")
    for window in WINDOWS:
        events, bad = (S.name_window(series, window) for series in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE))
        yield make_rule(events, f"sum_over_time({S.SLI_EVENTS_INCREASE}[{clock.to_range(window)}])")
        yield make_rule(bad, f"sum_over_time({S.SLI_BAD_INCREASE}[{clock.to_range(window)}])")
        yield make_rule(S.name_window(S.SLI_ERROR_RATIO, window), f"{bad} / ({events} > 0)")
