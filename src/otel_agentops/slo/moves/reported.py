"""The moves that are reported: each move once, for two hours, with the time of its first report."""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.moves.appeared import select_appeared
from otel_agentops.slo.moves.ramp import select_growing, select_ramped
from otel_agentops.slo.moves.traffic import select_shifted
from otel_agentops.slo.variables import SCOPE, VALUE


def build_moved_rule(clock: Clock) -> Rule:
    """Return the rule of all appearances, ramps and shifts of the traffic.

    If a value's share becomes large after it was reported, this is the same move and keeps its first time.
    """
    moves = S.VARIABLE_MOVED
    expr = f"""\
last_over_time({moves}[{clock.to_duration("15m", 12)}]) > time() - {3 * clock.to_seconds("5m"):g}
or on ({VALUE}) {select_appeared(clock)}
or last_over_time({moves}[{clock.to_duration("2h")}]) > time() - {clock.to_seconds("2h"):g}
or on ({VALUE}) (last_over_time({moves}[{clock.to_duration("15m", 12)}]) and on ({VALUE}) {select_growing(clock)})
or on ({VALUE}) {select_ramped(clock)}
or on ({SCOPE}) {select_shifted(clock)}"""
    return make_rule(moves, expr)
