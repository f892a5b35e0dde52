"""Error ratios of each indicator in the windows that alerts look at, and what is usual."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, divide_counts, express_growth, make_rule
from otel_agentops.slo.burn import SUDDEN
from otel_agentops.slo.series import SLI

WINDOWS = ("5m", "15m", "30m", "1h", "2h", "6h", "1d", "3d")


def build_ratio_rules(clock: Clock) -> Iterator[Rule]:
    """Yield counts to the unit, their sums over each window, and the ratios."""
    by = f"sum by ({', '.join(SLI)})"
    for record, metric in ((S.SLI_EVENTS_INCREASE, M.SLI_EVENTS), (S.SLI_BAD_INCREASE, M.SLI_BAD)):
        yield make_rule(record, f"{by} (\n  {express_growth(M.METRICS[metric].prometheus, clock)}\n)")
    for window in WINDOWS:
        events, bad = (S.name_window(series, window) for series in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE))
        yield make_rule(events, f"sum_over_time({S.SLI_EVENTS_INCREASE}[{clock.to_range(window)}])")
        yield make_rule(bad, f"sum_over_time({S.SLI_BAD_INCREASE}[{clock.to_range(window)}])")
        yield make_rule(S.name_window(S.SLI_ERROR_RATIO, window), divide_counts(bad, events))


def build_usual_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the usual error ratio and its bursts.

    Usual is the higher one of the day that ended an hour ago and of these hours of the day before, which know a batch
    that fails each night. An indicator without a day of history has none. One bad event is added to those of the day,
    since none at all in few events is no proof.

    Bursts are the variance of bad events a minute by their mean: 1 if each comes by itself. One burst is added to
    those of the day, for the same reason.
    """
    events, bad = (S.name_window(series, "1d") for series in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE))
    hour, day = clock.to_duration("1h"), clock.to_duration("1d")
    whole = f"((({bad} offset {hour}) + 1) / ({events} offset {hour} > 0) and {events} offset {day})"
    hours = f"({S.name_window(S.SLI_ERROR_RATIO, '2h')} offset {clock.to_duration('23h')})"
    yield make_rule(S.SLI_ERROR_USUAL, f"({hours} > {whole}) or {whole}")
    minutes = f"{S.SLI_BAD_INCREASE}[{clock.to_range('1d')}] offset {hour}"
    variance = f"count_over_time({minutes}) * stdvar_over_time({minutes})"
    bursts = f"({variance} + {SUDDEN.burst**2}) / (sum_over_time({minutes}) + {SUDDEN.burst})"
    yield make_rule(S.SLI_BAD_BURSTS, f"clamp_min({bursts}, 1)")
