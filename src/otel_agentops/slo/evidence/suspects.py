"""Values that have moved or grown: less evidence is enough for what changed than for what has always been there."""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import SCOPE, VALUE


def build_suspect_rule(clock: Clock) -> Rule:
    """Return the rule of moves of the last two hours, and of those from before a burn as long as it burns."""
    moves = f"max by ({VALUE}, previous) ({S.SLO_BURN_MOVED} or {S.VARIABLE_MOVED})"
    expr = f"topk by ({VALUE}) (1, {moves})\nor on ({VALUE})\n{_select_new_tools(clock)}"
    return make_rule(S.VARIABLE_SUSPECT, expr)


def _select_new_tools(clock: Clock) -> str:
    """Select a tool's new value in a service whose tools moved.

    The move itself is reported once, as that of the set. The time is a second later, so that of the two the tool is the
    latest move. `previous` is the value that was seen last before.
    """
    before = f"{S.VARIABLE_KNOWN}{{variable='tool'}} offset {clock.to_duration('2h')}".replace("'", '"')
    previous = f'label_join(topk by ({SCOPE}) (1, {before}), "previous", "", "value") * 0 + 1'
    moved = f'{S.VARIABLE_SUSPECT}{{variable="tools"}} or {S.VARIABLE_MOVED}{{variable="tools"}}'
    service = ", ".join(SERVICE)
    return f"""\
(
  ({S.VARIABLE_KNOWN}{{variable="tool"}} unless on ({VALUE}) {before}) * 0
  + on ({service}) group_left () (max by ({service}) ({moved}) + 1)
)
* on ({SCOPE}) group_left (previous) ({previous})"""
