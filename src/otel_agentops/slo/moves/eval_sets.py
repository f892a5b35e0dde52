"""Evaluated sets of cases whose last scores no longer describe what runs.

A set is stale if model, prompt, tools or index moved after its last evaluation (`moved`), if its judge moved (`judge`:
old and new scores are those of two instruments), or if it was not evaluated for a week (`age`). Sets are often
evaluated in another environment, so the rules go by service: a value that was in use where and while a set of the
service was evaluated is no move afterwards. The rules remember an evaluation for thirty days.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule
from otel_agentops.slo.series import SERVICE

OLD, FORGOTTEN = "7d", "30d"
_NAME, _JUDGE = (name.replace(".", "_") for name in (A.EVAL_SET_NAME, A.JUDGE_NAME))
_SET, _JUDGED = f"{SERVICE[0]}, {_NAME}", f"{SERVICE[0]}, {_JUDGE}"
_USED = f"{SERVICE[0]}, variable, scope, value"
_SHAPES = '{variable=~"model|prompt|tools|index"}'


def build_eval_set_rules(clock: Clock) -> Iterator[Rule]:
    """Yield when each set was evaluated, with which values, and what moved since."""
    scores = express_growth(M.METRICS[M.EVAL_SET_OBSERVATIONS].prometheus, clock)
    yield make_rule(S.EVAL_SET_INCREASE, f"sum by ({', '.join(SERVICE)}, {_NAME}, {_JUDGE}) (\n  {scores}\n)")
    evaluated_now = f"sum_over_time({S.EVAL_SET_INCREASE}[{clock.to_range('5m')}]) > 0"
    yield _remember_last(
        S.EVAL_SET_RAN, f"max by ({_SET}, {_JUDGE}) ({evaluated_now}) * 0 + time()", f"{_SET}, {_JUDGE}", clock
    )
    in_use = f"{S.VARIABLE_ACTIVE}{_SHAPES} and on ({', '.join(SERVICE)}) ({evaluated_now})"
    yield _remember_last(S.EVAL_SET_USED, f"max by ({_USED}) ({in_use}) * 0 + time()", _USED, clock)
    latest_move = f"max by ({SERVICE[0]}) ({S.VARIABLE_MOVED}{_SHAPES} unless on ({_USED}) {S.EVAL_SET_USED})"
    yield _remember_latest(S.EVAL_SET_MOVED, latest_move, SERVICE[0], clock)
    judge_moves = f'label_join({S.VARIABLE_MOVED}{{variable="judge"}}, "{_JUDGE}", "", "scope")'
    yield _remember_latest(S.EVAL_SET_JUDGE_MOVED, f"max by ({_JUDGED}) ({judge_moves})", _JUDGED, clock)
    yield from _build_stale_rules(clock)


def _build_stale_rules(clock: Clock) -> Iterator[Rule]:
    stale, ran = S.EVAL_SET_STALE, f"max by ({_SET}) ({S.EVAL_SET_RAN})"
    since = f"({ran} * 0 + on ({SERVICE[0]}) group_left () {S.EVAL_SET_MOVED})"
    yield make_rule(stale, f"{since} > on ({_SET}) {ran}", reason="moved")
    judge = f"({S.EVAL_SET_RAN} * 0 + on ({_JUDGED}) group_left () {S.EVAL_SET_JUDGE_MOVED}) > {S.EVAL_SET_RAN}"
    yield make_rule(stale, f"max by ({_SET}) ({judge})", reason="judge")
    yield make_rule(stale, f"{ran} < time() - {clock.to_seconds(OLD):g}", reason="age")


def _remember_last(record: str, now: str, by: str, clock: Clock) -> Rule:
    """Remember the last time of something."""
    memory = f"last_over_time({record}[{clock.to_duration('1d')}]) > time() - {clock.to_seconds(FORGOTTEN):g}"
    return make_rule(record, f"{now}\nor on ({by}) ({memory})")


def _remember_latest(record: str, now: str, by: str, clock: Clock) -> Rule:
    """Remember the latest of moves, each of which is reported for two hours."""
    memory = f"last_over_time({record}[{clock.to_duration('1d')}]) > time() - {clock.to_seconds(FORGOTTEN):g}"
    return make_rule(record, f"{now} > on ({by}) ({memory})\nor on ({by}) ({memory})\nor on ({by}) {now}")
