"""Slow regressions: a day that is worse than the days of a month, while no budget burns fast enough to be noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.prometheus.objective import (
    OF_INDICATOR,
    SERVICE_TEXT,
    build_alert,
    escape_template,
    select_indicator,
)
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.wording import describe_indicator, describe_promise

# By chance a normal score is 4 standard deviations above its mean once in 30,000 days. At a daily jitter of 10 % a step
# from 2 to 3 % is found after a day, and 3 % more each day after ten.
_FAR = 4
_FEWEST_DAYS = 14  # of 28; the deviation of fewer is hardly known


def build_regression_rules(slos: Sequence[Slo], clock: Clock) -> Iterator[Rule]:
    """Yield the score of the last day, its distance from the days of a month, and the alerts.

    The score is asin sqrt of the day's error ratio: by chance it deviates by 1 / (2 sqrt(events)), whatever the ratio
    (Anscombe's 3/8 and 3/4 keep that true of few events). The month ended a week ago, so that a fault that creeps in
    does not become usual.
    """
    events, bad = (S.name_window(series, "1d") for series in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE))
    yield make_rule(S.SLI_ERROR_SCORE, f"asin(sqrt(({bad} + 0.375) / (({events} > 0) + 0.75)))")
    month = _select_month(clock)
    days, deviation = f"stddev_over_time({month})", f"0.5 / sqrt({events} > 0)"
    yield make_rule(
        S.SLI_ERROR_REGRESSION,
        f"""\
({S.SLI_ERROR_SCORE} - avg_over_time({month}))
/ (({days} > {deviation}) or {deviation})
and count_over_time({month}) >= {_FEWEST_DAYS}""",
    )
    for slo in slos:
        yield _build_regression_alert(slo, clock)


def _select_month(clock: Clock, of: str = "") -> str:
    """Select the daily scores of four weeks that ended a week ago."""
    month, day, week = (clock.to_duration(window) for window in ("28d", "1d", "7d"))
    return f"{S.SLI_ERROR_SCORE}{of}[{month}:{day}] offset {week}"


def _build_regression_alert(slo: Slo, clock: Clock) -> Rule:
    of, day = select_indicator(slo), S.name_window(S.SLI_ERROR_RATIO, "1d")
    shares = "".join(
        f'{text} {{{{ with printf "max({query})" $of | query }}}}{{{{ . | first | value | humanizePercentage }}}}'
        "{{ else }}an unknown part{{ end }}"
        for text, query in (
            ("Over the last day", f"{day}%s"),
            (
                " of the events is bad, on an average day of the month before",
                f"sin(avg_over_time({_select_month(clock, '%s')})) ^ 2",
            ),
        )
    )
    texts = {
        "summary": f"{SERVICE_TEXT}: {slo.name} is slowly getting worse ({describe_indicator(slo)})",
        "description": f"{OF_INDICATOR}{shares}: {{{{ $value | printf `%.1f` }}}} standard deviations. "
        + escape_template(describe_promise(slo)),
    }
    expr = f"""\
{S.SLI_ERROR_REGRESSION}{of} > {_FAR}
and {S.name_window(S.SLI_EVENTS_INCREASE, "1d")}{of} >= {slo.minimum.events}"""
    alert = build_alert("OtelAgentopsSlowRegression", expr, slo, "ticket", texts)
    return {**alert, "for": clock.to_duration("3h")}
