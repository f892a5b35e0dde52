"""A value that is new in its scope: it became active for the first time, or came back.

The memory is in PromQL, carried on from evaluation to evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule, set_label
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import NOT_MOVED, SCOPE, VALUE

TEXTS = "instructions|judge|prompt|tools"  # variables that are hashes of texts
MOST_SENT = 3  # texts under one template within a day, above which values are rendered into it
MOST_SERVED = 5  # systems of a provider within three days, above which another one says nothing
TWICE = ("10m", 8)  # two windows and their ticks: from before the last window began to fill


def build_appeared_rules(clock: Clock) -> list[Rule]:
    """Return the rules of what a scope knows, lost and got."""
    return [
        _build_known_rule(clock),
        _build_gone_rule(clock),
        _build_fresh_rule(clock),
        _build_began_rule(clock),
        _build_renewed_rule(clock),
        *_build_routine_rules(clock),
    ]


def _build_known_rule(clock: Clock) -> Rule:
    """Remember when each value of a scope was last active.

    The memory is carried on from evaluation to evaluation. A value is dropped when its scope has been active for a
    whole window without it. In a silence, and for the first window after one, everything stays: a restart of the
    collector, or a night, forgets nothing. An instant selector sees the drops of an evaluation. The range takes over
    only if Prometheus was away for longer than its lookback.
    """
    last_active, active = S.VARIABLE_KNOWN, S.VARIABLE_ACTIVE
    expr = f"""\
{active} * 0 + time()
or (
  (
    {last_active}
    or (last_over_time({last_active}[{clock.to_duration("1h", 20)}]) unless on ({SCOPE}) {last_active})
  )
  unless on ({SCOPE}) ({active} and on ({SCOPE}) {active} offset {clock.to_duration("5m")})
)"""
    return make_rule(last_active, expr)


def _build_gone_rule(clock: Clock) -> Rule:
    """Find what a scope had two windows ago and has no more.

    A tenth of the scope or less does not count.
    """
    twice = clock.to_duration(*TWICE)
    before = f"{S.VARIABLE_ACTIVE} offset {twice}"
    expr = f"""\
{S.VARIABLE_KNOWN} offset {twice}
unless on ({VALUE}) {S.VARIABLE_ACTIVE}
unless on ({VALUE}) {before} / on ({SCOPE}) group_left () sum by ({SCOPE}) ({before}) <= 0.1"""
    return make_rule(S.VARIABLE_GONE, expr)


def _build_fresh_rule(clock: Clock) -> Rule:
    """Find values that are active in a scope that did not know them ten minutes ago.

    The scope must have been known for half an hour: at its start every value is new.

    A value that was seen within three days counts only if its absence was no chance at its present share: twelve or
    more observations were to be expected in the window before. By chance none of twelve is there once in 160,000
    windows; with five it was twice a day. Rare values come and go without having moved.
    """
    active, twice = S.VARIABLE_ACTIVE, clock.to_duration(*TWICE)
    settled = clock.to_duration("30m", 12)
    now = f"({active} or {active} offset {clock.to_duration('5m')})"
    expr = f"""\
(
  {now}
  unless on ({VALUE}) {S.VARIABLE_KNOWN} offset {twice}
  and on ({SCOPE}) {S.VARIABLE_KNOWN}{{variable!~"{NOT_MOVED}"}} offset {settled}
  and on ({VALUE}) (
    {now} unless on ({VALUE}) last_over_time({active}[{clock.to_duration("3d")}] offset {twice})
    or
    {active}
      / on ({SCOPE}) group_left () sum by ({SCOPE}) ({active})
      * on ({SCOPE}) group_left () sum by ({SCOPE}) ({active} offset {twice}) >= 12
  )
) * 0 + time()"""
    return make_rule(S.VARIABLE_FRESH, expr)


def _build_began_rule(clock: Clock) -> Rule:
    """Find values that became active five minutes ago in a scope that did not know them.

    The time is that of the first observation. The rule waits for one window, until everything from before has left
    `active`, and holds for one window, so that a missed evaluation does not matter. If Prometheus evaluated nothing for
    longer than that, as while it starts anew, the first evaluation after it finds what was new at the last one before.
    """
    window, hour = clock.to_seconds("5m"), clock.to_duration("1h", 20)
    last = f'scalar(last_over_time({S.RULES_EVALUATED}{{rule_group="variables"}}[{hour}] offset {clock.tick}s))'
    expr = f"""\
(
  {S.VARIABLE_FRESH} and on ({VALUE}) {S.VARIABLE_ACTIVE} offset {clock.to_duration("5m")}
) - {window:g}
or on ({VALUE}) (
  min_over_time({S.VARIABLE_FRESH}[{hour}])
  and on ({VALUE}) last_over_time({S.VARIABLE_FRESH}[{hour}]) == {last} < time() - {window:g}
  and on ({VALUE}) {S.VARIABLE_ACTIVE}
  unless on ({VALUE}) last_over_time({S.VARIABLE_BEGAN}[{hour}])
)"""
    return make_rule(S.VARIABLE_BEGAN, expr)


def _build_renewed_rule(clock: Clock) -> Rule:
    """Find new values of a scope that had been silent for an hour before, as a job that runs each night is."""
    before = f"last_over_time({S.VARIABLE_ACTIVE}[{clock.to_duration('1h')}] offset {clock.to_duration(*TWICE)})"
    return make_rule(S.VARIABLE_RENEWED, f"{S.VARIABLE_BEGAN} unless on ({SCOPE}) {before}")


def _build_routine_rules(clock: Clock) -> Iterator[Rule]:
    """Yield values that began in a scope in which that says nothing, which are no moves.

    daily: A value that is rendered into a text, as a date is, makes a new hash at the same time of three days. Two
    earlier ones within ten minutes of that time are no coincidence; deployments are not so punctual. A new version of
    an index each night is meant, and a move.

    rendered: More than three texts were sent under one declared template within a day.

    pool: A provider serves a model from several systems. One that was there within three days says nothing, and so does
    a new one if there were more than five.

    model: Another model has another fingerprint.
    """
    began, routine = S.VARIABLE_BEGAN, S.VARIABLE_ROUTINE
    earlier = "\n".join(
        f"and on ({SCOPE}) last_over_time({began}[{clock.to_duration('20m', 2)}] offset {clock.to_duration(ago)})"
        for ago in (f"{24 * 60 - 10}m", f"{48 * 60 - 10}m")
    )
    fresh = f"\nunless on ({VALUE}) {S.VARIABLE_RENEWED}"  # a nightly job: `select_always_new`
    yield make_rule(routine, f'{began}{{variable=~"{TEXTS}"}}\n{earlier}{fresh}', reason="daily")
    sent = f'last_over_time({S.VARIABLE_ACTIVE}{{variable="instructions"}}[{clock.to_duration("1d")}])'
    rendered = f'{began}{{variable="instructions"}} and on ({SCOPE}) count by ({SCOPE}) ({sent}) > {MOST_SENT}'
    yield make_rule(routine, rendered, reason="rendered")
    fingerprint, days = '{variable="fingerprint"}', clock.to_duration("3d")
    served = f"last_over_time({S.VARIABLE_ACTIVE}{fingerprint}[{days}] offset {clock.to_duration(*TWICE)})"
    many = f"count by ({SCOPE}) ({served}) > {MOST_SERVED}"
    pool = f"{began}{fingerprint} and on ({VALUE}) {served}\nor\n{began}{fingerprint} and on ({SCOPE}) {many}"
    yield make_rule(routine, pool, reason="pool")
    place = f"{', '.join(SERVICE)}, scope"
    models = f'last_over_time({began}{{variable="model"}}[{clock.to_duration("10m")}])'
    yield make_rule(routine, f"{began}{fingerprint} and on ({place}) {models}", reason="model")


def select_always_new(clock: Clock) -> str:
    """Select scopes that have begun three times within a week, and each time with a new value.

    A job that renders its prompt anew has another hash each night. That says nothing after the third time.
    """
    return f"count by ({SCOPE}) (last_over_time({S.VARIABLE_RENEWED}[{clock.to_duration('7d')}])) >= 3"


def select_appeared(clock: Clock) -> str:
    """Return what began, with the label `previous`.

    It is the value that is gone, and of several the one that was seen last; else the only other value of the scope;
    else `unknown`.
    """
    gone = S.VARIABLE_GONE
    routine = f"last_over_time({S.VARIABLE_ROUTINE}[{clock.to_duration(*TWICE)}])"
    appearances = f"({S.VARIABLE_BEGAN} unless on ({VALUE}) {routine})"
    before = f"({S.VARIABLE_KNOWN} offset {clock.to_duration(*TWICE)} unless on ({VALUE}) {S.VARIABLE_BEGAN})"
    last = f"({gone} == on ({SCOPE}) group_left () max by ({SCOPE}) ({gone}))"
    only = f"and on ({SCOPE}) count by ({SCOPE})"
    return f"""\
(
  {appearances} * on ({SCOPE}) group_left (previous) (
    label_join(
      {last} {only} ({last}) == 1
      or on ({SCOPE}) ({before} {only} ({before}) == 1),
      "previous", "", "value"
    ) * 0 + 1
  )
  or on ({VALUE}) {set_label(appearances, "previous", "unknown")}
)"""
