"""What is told as moved: each move once, for two hours, as it was told first."""

from __future__ import annotations

from typing import Any

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, rule
from otel_agentops.slo.moves.appeared import appeared
from otel_agentops.slo.moves.ramp import growing, ramped
from otel_agentops.slo.moves.traffic import shifted
from otel_agentops.slo.variables import SCOPE, VALUE


def moved_rule(clock: Clock) -> dict[str, Any]:
    """Appearances, ramps and shifts of the traffic.

    A value that is told already when its share has become large is the same move: it is told on, with its first time.
    """
    moved = S.VARIABLE_MOVED
    expr = f"""\
last_over_time({moved}[{clock.window("15m", 12)}]) > time() - {3 * clock.seconds("5m"):g}
or on ({VALUE}) {appeared(clock)}
or last_over_time({moved}[{clock.window("2h")}]) > time() - {clock.seconds("2h"):g}
or on ({VALUE}) (last_over_time({moved}[{clock.window("15m", 12)}]) and on ({VALUE}) {growing(clock)})
or on ({VALUE}) {ramped(clock)}
or on ({SCOPE}) {shifted(clock)}"""
    return rule(moved, expr)
