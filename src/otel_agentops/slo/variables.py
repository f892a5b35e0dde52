"""Which variable moved: the values seen lately against those known from before, with a memory in PromQL.

A series of the collector stays for a day after its last observation, so presence says nothing; only growth counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import SERVICE, Clock, grown, rule

PREFIX = "otel_agentops:variable:"

# Variable to its counter, what its scope is made of, and its value. Everywhere one scope = one place in the program.
VARIABLES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "model": (M.MODEL_OBSERVATIONS, (A.GEN_AI_REQUEST_MODEL,), A.GEN_AI_RESPONSE_MODEL),
    "prompt": (M.PROMPT_OBSERVATIONS, (A.TASK_NAME, A.GEN_AI_PROMPT_NAME), A.PROMPT_HASH),
    "tools": (M.TOOLS_OBSERVATIONS, (A.TASK_NAME,), A.TOOLS_HASH),
    "tool": (M.TOOL_OBSERVATIONS, (A.GEN_AI_TOOL_NAME,), A.TOOL_HASH),
    "index": (M.INDEX_OBSERVATIONS, (A.INDEX_NAME,), A.INDEX_VERSION),
    "judge": (M.JUDGE_OBSERVATIONS, (A.JUDGE_NAME,), A.JUDGE_REVISION),
    "traffic": (M.TRAFFIC_OBSERVATIONS, (), A.TRAFFIC_SEGMENT),
}
# A drifted schema changes the hash of its tool and of every set with it: told once, as `tools`; `active` has both.
# A new segment of traffic is no change of anything; a shift of the mix is, which presence cannot tell.
NOT_MOVED = "tool|traffic"

_SCOPE = ", ".join((*SERVICE, "variable", "scope"))
_VALUE = f"{_SCOPE}, value"


def variable_rules(clock: Clock) -> list[dict[str, Any]]:
    """The rules in the order in which they read each other."""
    return [*_increases(clock), _active(clock), _known(clock), _gone(clock), _began(clock), _moved(clock)]


def _increases(clock: Clock) -> Iterator[dict[str, Any]]:
    for variable, (metric, scope, value) in VARIABLES.items():
        observed = f"{grown(M.METRICS[metric].prometheus, clock)}"
        sources = "".join(f', "{_label(part)}"' for part in scope)
        scoped = f'label_join({observed}, "scope", "/"{sources})' if scope else _set(observed, "scope", "all")
        named = f'label_join({scoped}, "value", "", "{_label(value)}")'
        expr = f"sum by ({', '.join(SERVICE)}, scope, value) (\n  {named}\n)"
        yield rule(f"{PREFIX}increase", expr, variable=variable)


def _active(clock: Clock) -> dict[str, Any]:
    """How often a value was seen within the last five minutes."""
    return rule(f"{PREFIX}active", f"sum_over_time({PREFIX}increase[{clock.samples('5m')}]) > 0")


def _known(clock: Clock) -> dict[str, Any]:
    """When a value was last active, for those that its scope has: a memory, carried on from evaluation to evaluation.

    A value is dropped when its scope has been active for a whole window without it. In a silence, and for the first
    window after one, everything stays: a restart of the collector, or a night, forgets nothing.
    The selector of an instant sees what an evaluation dropped. Only where Prometheus itself was away for longer than
    its lookback does the range take over.
    """
    known, active = f"{PREFIX}known", f"{PREFIX}active"
    expr = f"""\
{active} * 0 + time()
or (
  (
    {known}
    or (last_over_time({known}[{clock.window("1h", 20)}]) unless on ({_SCOPE}) {known})
  )
  unless on ({_SCOPE}) ({active} and on ({_SCOPE}) {active} offset {clock.window("5m")})
)"""
    return rule(known, expr)


def _gone(clock: Clock) -> dict[str, Any]:
    """What a scope had last, two windows ago, and has no more; but not what was a tenth of it or less."""
    twice = _twice(clock)
    before = f"{PREFIX}active offset {twice}"
    expr = f"""\
{PREFIX}known offset {twice}
unless on ({_VALUE}) {PREFIX}active
unless on ({_VALUE}) {before} / on ({_SCOPE}) group_left () sum by ({_SCOPE}) ({before}) <= 0.1"""
    return rule(f"{PREFIX}gone", expr)


def _began(clock: Clock) -> dict[str, Any]:
    """When a value became active that its scope did not know. The time is that of its first observation.

    Told one window later, when everything before it has left `active`. It is true for one window, so that a missed
    evaluation does not matter. The scope has been known for half an hour: at its start every value is new.
    A value that was seen within three days counts only if at its present share its absence was no chance: five or more
    observations were to be expected in the window before. Rare values come and go without having moved.
    """
    active, once, twice = f"{PREFIX}active", clock.window("5m"), _twice(clock)
    settled = clock.window("30m", 12)
    expr = f"""\
(
  {active}{{variable!~"{NOT_MOVED}"}} offset {once}
  unless on ({_VALUE}) {PREFIX}known offset {twice}
  and on ({_SCOPE}) {PREFIX}known offset {settled}
  and on ({_VALUE}) (
    {active} offset {once} unless on ({_VALUE}) last_over_time({active}[{clock.window("3d")}] offset {twice})
    or
    {active}
      / on ({_SCOPE}) group_left () sum by ({_SCOPE}) ({active})
      * on ({_SCOPE}) group_left () sum by ({_SCOPE}) ({active} offset {twice}) >= 5
  )
) * 0 + (time() - {clock.seconds("5m"):g})"""
    return rule(f"{PREFIX}began", expr)


def _moved(clock: Clock) -> dict[str, Any]:
    """A move is told for two hours as it was told first.

    previous: the one value that is gone, of several the one that was seen last; else the only one that there was; else
    `unknown`.
    """
    moved, began, gone = f"{PREFIX}moved", f"{PREFIX}began", f"{PREFIX}gone"
    before = f"{PREFIX}known offset {_twice(clock)}"
    last = f"({gone} == on ({_SCOPE}) group_left () max by ({_SCOPE}) ({gone}))"
    only = f"and on ({_SCOPE}) count by ({_SCOPE})"
    expr = f"""\
last_over_time({moved}[{_thrice(clock)}]) > time() - {3 * clock.seconds("5m"):g}
or on ({_VALUE}) (
  {began} * on ({_SCOPE}) group_left (previous) (
    label_join(
      {last} {only} ({last}) == 1
      or on ({_SCOPE}) ({before} {only} ({before}) == 1),
      "previous", "", "value"
    ) * 0 + 1
  )
  or on ({_VALUE}) {_set(began, "previous", "unknown")}
)
or last_over_time({moved}[{clock.window("2h")}]) > time() - {clock.seconds("2h"):g}"""
    return rule(moved, expr)


def _twice(clock: Clock) -> str:
    return clock.window("10m", 8)


def _thrice(clock: Clock) -> str:
    return clock.window("15m", 12)


def _set(expression: str, label: str, value: str) -> str:
    return f'label_replace({expression}, "{label}", "{value}", "", "")'


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")
