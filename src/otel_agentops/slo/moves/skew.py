"""Skew: the same scope has one value in one place and another one elsewhere, and nobody said that this is meant.

A place is a region; if that is unknown, a collector. A value that is spread evenly over all places, as that of a canary
is, is not skewed. A stage of a roll-out that only one of the values has (`canary`) says that the difference is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.variables import NOT_WEIGHED, PLACE, SCOPE, STAGE, VALUE

APART = 0.5  # of the calls of a place more than elsewhere
LEAST = 20  # observations in half an hour, here and elsewhere, below which nothing is reported

_HERE = f"{SCOPE}, {PLACE}"


def build_skew_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the values that have been apart for most of the last half hour."""
    observations = f'sum_over_time({S.VARIABLE_OBSERVED}{{variable!~"{NOT_WEIGHED}"}}[{clock.to_range("30m")}])'
    yield make_rule(S.VARIABLE_PLACED, f"sum by ({VALUE}, {PLACE}) ({observations}) > 0")
    yield make_rule(S.VARIABLE_ODD, _select_odd(clock))
    yield make_rule(S.VARIABLE_UNEVEN, _remember_uneven(clock))
    yield make_rule(S.VARIABLE_SKEWED, f"{S.VARIABLE_UNEVEN} <= time() - {clock.to_seconds('30m'):g}")


def _select_odd(clock: Clock) -> str:
    """Select a value that other places do not have.

    Of several in a scope it is that of fewer calls.
    """
    here, all_ = f"sum by ({_HERE}) ({S.VARIABLE_PLACED})", f"sum by ({SCOPE}) ({S.VARIABLE_PLACED})"
    total = f"sum by ({VALUE}) ({S.VARIABLE_PLACED})"
    elsewhere = f"-({here} - on ({SCOPE}) group_left () {all_})"
    share = f"{S.VARIABLE_PLACED} / on ({_HERE}) group_left () {here}"
    others = f"-({S.VARIABLE_PLACED} - on ({VALUE}) group_left () {total})"
    others += f" / on ({_HERE}) group_left () ({elsewhere} >= {LEAST})"
    apart = f"{share} - ({others}) >= {APART} and on ({_HERE}) {here} >= {LEAST}"
    return f"""\
bottomk by ({SCOPE}) (1, ({apart}) * 0 + on ({VALUE}) group_left () {total})
unless on ({SCOPE}) {_select_staged(clock)}"""


def _select_staged(clock: Clock) -> str:
    """Select values with a stage that no other value of their scope has."""
    observations = f'sum_over_time({S.VARIABLE_OBSERVED}{{{STAGE}!=""}}[{clock.to_range("30m")}]) > 0'
    staged = f"count by ({VALUE}, {STAGE}) ({observations})"
    alone = f"count by ({SCOPE}, {STAGE}) ({staged}) == 1"
    return f"({staged} and on ({SCOPE}, {STAGE}) {alone})"


def _remember_uneven(clock: Clock) -> str:
    """Remember since when a value is odd.

    The label `elsewhere` is the value that most calls in other places have.
    """
    most = f"topk by ({SCOPE}) (1, sum by ({VALUE}) ({S.VARIABLE_PLACED}) unless on ({VALUE}) {S.VARIABLE_ODD})"
    return f"""\
last_over_time({S.VARIABLE_UNEVEN}[{clock.to_duration("15m", 12)}]) and on ({SCOPE}) {S.VARIABLE_ODD}
or on ({SCOPE}) ({S.VARIABLE_ODD} * 0 + time()) * on ({SCOPE}) group_left (elsewhere) (
  label_join({most}, "elsewhere", "", "value") * 0 + 1
)"""
