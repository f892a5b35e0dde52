"""Values that have moved or grown: less evidence is enough for what changed than for what has always been there."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, set_label
from otel_agentops.slo.moves.appeared import TWICE
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import SCOPE, VALUE

# All values that changed, each once.
CHANGED = f"({S.VARIABLE_SUSPECT} or on ({VALUE}) {S.VARIABLE_RECENT})"


def build_suspect_rules(clock: Clock) -> Iterator[Rule]:
    """Yield what has moved, and what is new or has grown and is not reported as a move yet."""
    yield _build_suspect_rule(clock)
    yield _build_recent_rule(clock)


def _build_suspect_rule(clock: Clock) -> Rule:
    """Return the rule of moves of the last two hours, and of those from before a burn as long as it burns."""
    moves = f"max by ({VALUE}, previous) ({S.SLO_BURN_MOVED} or {S.VARIABLE_MOVED})"
    expr = f"topk by ({VALUE}) (1, {moves})\nor on ({VALUE})\n{_select_new_tools(clock)}"
    return make_rule(S.VARIABLE_SUSPECT, expr)


def _build_recent_rule(clock: Clock) -> Rule:
    """Return the rule of what a move will be reported of, some minutes from now.

    A move is reported when nothing from before is left in its window, so that it is certain what moved. Evidence needs
    no such wait: it compares the values of one minute. `previous` is the value that had most of the scope before.
    """
    fresh = f"min_over_time({S.VARIABLE_FRESH}[{clock.to_duration(*TWICE)}]) and {S.VARIABLE_FRESH}"
    grown = f"{S.VARIABLE_GROWN} > time() - {clock.to_seconds('2h'):g}"
    usual = f"last_over_time({S.VARIABLE_ROUTINE}[{clock.to_duration(*TWICE)}])"
    recent = f"(({fresh} or on ({VALUE}) {grown}) unless on ({VALUE}) {S.VARIABLE_SUSPECT} unless on ({VALUE}) {usual})"
    before = f"topk by ({SCOPE}) (1, max by ({VALUE}) ({S.VARIABLE_SHARE_BEFORE}) > 0 unless on ({VALUE}) {recent})"
    expr = f"""\
{recent} * on ({SCOPE}) group_left (previous) (label_join({before}, "previous", "", "value") * 0 + 1)
or on ({VALUE})
{set_label(recent, "previous", "unknown")}"""
    return make_rule(S.VARIABLE_RECENT, expr)


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
