"""The evidence that the events of a value are worse than those of the other values, at the same time.

Within one evaluation the value M has a part s of the events of its scope. If M is no worse, each bad event lies in M
with the chance s, whatever the common error ratio is. If its odds are theta times those of the others, the likelihood
ratio of what came is

    theta ^ bad_M / (1 - s + s * theta) ^ bad

The mean of these products over several thetas is a martingale with the expectation 1 as long as M is no worse. So E
ever reaches 20 with a chance of at most 5 %, and 100 with one of at most 1 %, at any number of looks (Ville).
Bad events that come in bursts count as fewer: the logarithm is divided by the variance to mean ratio of a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.evidence.contrast import select_count
from otel_agentops.slo.evidence.increments import INDICATOR
from otel_agentops.slo.evidence.start import build_sum_rule, recall_last, select_burning

THETAS = (1.5, 3, 6, 12, 25)
_MOST = 500  # of a logarithm, so that the mean is a number


def build_step_rules(clock: Clock) -> Iterator[Rule]:
    """Yield spread, steps, their sums and the evidence."""
    # The counts of a contrast are of scopes with several values alone, which most do not have.
    bad, other_bad = (select_count(counted, S.SLI_VALUE_CONTRAST_INCREASE) for counted in ("bad", "other_bad"))
    yield make_rule(S.SLI_BAD_SPREAD, _express_spread(clock))
    for theta in THETAS:
        expr = f"""\
(
  {bad} * {log(theta):.6g}
  - ln(1 + {theta - 1:g} * {S.SLI_VALUE_SHARE}) * ({bad} + {other_bad})
) / on ({INDICATOR}) group_left () {S.SLI_BAD_SPREAD}"""
        yield make_rule(S.SLI_VALUE_STEP, expr, theta=f"{theta:g}")
    yield build_sum_rule(S.SLI_VALUE_LOG, S.SLI_VALUE_STEP, clock)
    yield make_rule(S.SLI_VALUE_EVIDENCE, f"avg without (theta) (exp(clamp_max({S.SLI_VALUE_LOG}, {_MOST})))")


def _express_spread(clock: Clock) -> str:
    """Return variance / mean of the bad events a minute over the day before, as of the start of a burn.

    In its first hour a service has no earlier time; without any bad event there is no burst to allow for.
    """
    bad = S.SLI_BAD_INCREASE
    windows = (f"[{clock.to_range('1d')}] offset {clock.to_duration('1h')}", f"[{clock.to_range('1h')}]")
    spreads = "\nor\n".join(
        f"clamp_min(stdvar_over_time({bad}{window}) / (avg_over_time({bad}{window}) > 0), 1)" for window in windows
    )
    last = recall_last(S.SLI_BAD_SPREAD, clock)
    return f"{last} and on ({INDICATOR}) {select_burning(clock)}\nor\n{spreads}\nor\n{bad} * 0 + 1"
