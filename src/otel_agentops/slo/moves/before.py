"""The shares of a scope at earlier times: the same hours of the day and week before, which know the daily rhythm.

An earlier time is three hours around the hour that is compared, since a rhythm may come an hour early or late. If a
scope has no such day and no such week, the hours before this one stand in. Traffic is also compared with the whole day
before this hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.variables import SCOPE, VALUE, divide_by_scope

PAST = f"{SCOPE}, against"  # one scope at one earlier time


class Before(NamedTuple):
    """An earlier time: `window` that ended `ago`."""

    against: str
    window: str
    ago: str
    of: str = ""
    unless: str = ""


BEFORE = (
    Before("day", "3h", "23h"),
    Before("week", "3h", "167h"),
    Before("hours", "3h", "1h", unless=f'{S.VARIABLE_BEFORE}{{against=~"day|week"}}'),
    Before("whole", "24h", "1h", of='{variable="traffic"}'),
)


def build_before_rules(clock: Clock) -> Iterator[Rule]:
    """Yield earlier observations, and shares of all values of then and now."""
    for before in BEFORE:
        observations = (
            f"{S.VARIABLE_INCREASE}{before.of}[{clock.to_range(before.window)}] offset {clock.to_duration(before.ago)}"
        )
        expr = f"sum_over_time({observations}) > 0"
        expr += f"\nunless on ({SCOPE}) {before.unless}" if before.unless else ""
        yield make_rule(S.VARIABLE_BEFORE, expr, against=before.against)
        observations_then = f'{S.VARIABLE_BEFORE}{{against="{before.against}"}}'
        absent = f"({S.name_window(S.VARIABLE_INCREASE, '1h')} * 0 and on ({SCOPE}) {observations_then})"
        yield make_rule(
            S.VARIABLE_SHARE_BEFORE,
            f"{divide_by_scope(observations_then)}\nor on ({VALUE}) {absent}",
            against=before.against,
        )


def estimate_noise(observations_then: str, least: float, width: float) -> str:
    """Return how much a share may differ by chance from each earlier time.

    It is at least `least`. The deviation of a share is at most 0.5 / sqrt(n), and `width` counts in such halves: 5 is
    two and a half deviations of independent observations. One task makes several observations, so the true width is
    smaller.
    """
    now, then = f"sum by ({SCOPE}) ({observations_then})", f"sum by ({PAST}) ({S.VARIABLE_BEFORE})"
    return f"clamp_min({width:g} * sqrt(1 / {then} + on ({SCOPE}) group_left () 1 / {now}), {least:g})"


def differs_from_all(differs: str, by: str) -> str:
    """Select what differs from every earlier time, by VALUE or SCOPE."""
    times = f"count by ({SCOPE}) (count by ({PAST}) ({S.VARIABLE_BEFORE}))"
    return f"count by ({by}) ({differs}) == on ({SCOPE}) group_left () {times}"
