"""Sums since the start of a look: an hour before the budget began to burn, or the last hour if nothing burns.

The start follows from the totals of an indicator. Given the totals, a bad event lies in a value with the chance of the
value's share, so that such a start does not favour any value.
"""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.evidence.increments import INDICATOR


def build_sum_rule(record: str, increase: str, clock: Clock, hour: str = "") -> Rule:
    """Return the rule that sums an increase since the start.

    While a budget burns the sum is carried on from evaluation to evaluation, also over a gap of some minutes.

    Args:
        record: The series to record.
        increase: What came since the last evaluation.
        clock: The time scale.
        hour: The sum of the last hour, if an earlier rule of the group recorded it.
    """
    last = recall_last(record, clock)
    hour = hour or f"sum_over_time({increase}[{clock.to_range('1h')}])"
    expr = f"""\
(
  {last} + {increase}
  or {last}
) and on ({INDICATOR}) {select_burning(clock)}
or
{hour}"""
    return make_rule(record, expr)


def recall_last(record: str, clock: Clock) -> str:
    """Return the last value of a series, up to a quarter of an hour old."""
    return f"last_over_time({record}[{clock.to_duration('15m', 12)}])"


def select_burning(clock: Clock) -> str:
    """Select indicators whose budget burns, and whose last burn began before this evaluation.

    A page that begins in the second day of a ticket starts anew: a day in which a value was no worse would outweigh any
    hour in which it is.
    """
    return f"(max by ({INDICATOR}) ({S.SLO_BURN_SINCE}) <= time() - {clock.tick})"
