"""A value that its scope has already and that comes to matter: a gradual roll-out, or a canary that is let loose.

It matters when it has gained a fifth of the scope over an hour, or half of it over five minutes. Below a fifth even a
value that fails each time spends a budget of 5 % only four times too fast. The gain must be beyond chance, beyond the
value's share at the same hours of the day and week before, and more than the value had lately.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.moves.before import PAST, differs_from_all, estimate_noise
from otel_agentops.slo.variables import NOT_WEIGHED, SCOPE, VALUE

SLOW, FAST = 0.2, 0.5  # gained over an hour, over five minutes
WIDTH = 2.5  # five standard deviations of a share of one half: it is evaluated each minute
SUSPECTED = 2  # four of them: of what grew by so much only evidence is asked, and nothing is reported
NOTICED = 0.1  # gained over an hour, from which on a ramp has begun
GROWS = 0.05  # in an hour


def build_ramp_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the rules in the order in which they read each other."""
    share, share1h = S.VARIABLE_SHARE, S.name_window(S.VARIABLE_SHARE, "1h")
    # A value that comes or goes at once keeps this high as long as it is there, and so is no ramp.
    ago = f"{share} offset {clock.to_duration('10m', 8)}"
    yield make_rule(S.VARIABLE_STEADY, f"{share} > {ago}\nor\n{ago} and {share}")
    yield make_rule(S.VARIABLE_LATELY, f"min_over_time({S.VARIABLE_STEADY}[{clock.to_duration('6h')}])")
    is_noticed = f"{share1h} - {S.VARIABLE_LATELY} > {NOTICED} or {share} - {S.VARIABLE_LATELY} > {FAST}"
    yield make_rule(
        S.VARIABLE_RISING, _remember_since(S.VARIABLE_RISING, is_noticed, is_noticed, clock.to_duration("15m", 12))
    )
    fast, slow = (
        _select_ramp(share, S.VARIABLE_ACTIVE, FAST),
        _select_ramp(share1h, S.name_window(S.VARIABLE_INCREASE, "1h"), SLOW),
    )
    yield make_rule(S.VARIABLE_RAMP, f"{slow}\nor on ({VALUE})\n{fast}")
    lately = f"last_over_time({S.VARIABLE_RAMP}[{clock.to_duration('1h')}])"
    # Evidence is looked at before that, since it may be there as soon as a few minutes of the new share are.
    begins = _select_ramp(share, S.VARIABLE_ACTIVE, SLOW, SUSPECTED)
    holds = f"{share} - {S.VARIABLE_LATELY} > {NOTICED}"
    grown = _remember_since(S.VARIABLE_GROWN, begins, holds, clock.to_duration("15m", 12))
    yield make_rule(S.VARIABLE_GROWN, grown)
    yield make_rule(
        S.VARIABLE_RAMPED, _remember_since(S.VARIABLE_RAMPED, S.VARIABLE_RAMP, lately, clock.to_duration("1h"))
    )


def select_growing(clock: Clock) -> str:
    """Select what has come to matter within two hours, or still grows."""
    share = S.VARIABLE_SHARE
    return f"""(
  {S.VARIABLE_RAMPED} > time() - {clock.to_seconds("2h"):g}
  or on ({VALUE}) ({share} - {share} offset {clock.to_duration("1h")} > {GROWS} and on ({VALUE}) {S.VARIABLE_RAMPED})
)"""


def select_ramped(clock: Clock) -> str:
    """Return when a value that was reported began to grow, up to six hours ago.

    The label `previous` is the value that lost most.
    """
    start = f"(clamp_min({S.VARIABLE_RISING}, time() - {clock.to_seconds('6h'):g}) or on ({VALUE}) {S.VARIABLE_RAMPED})"
    before, now = f"max by ({VALUE}) ({S.VARIABLE_SHARE_BEFORE})", S.name_window(S.VARIABLE_SHARE, "1h")
    losses = f"({before} - {now} > 0 or {before} unless on ({VALUE}) {now})"
    return f"""(
  ({start} and on ({VALUE}) {select_growing(clock)})
  * on ({SCOPE}) group_left (previous) (
    label_join(topk by ({SCOPE}) (1, {losses}), "previous", "", "value") * 0 + 1
  )
)"""


def _select_ramp(share: str, observations: str, least: float, width: float = WIDTH) -> str:
    difference = f"{share} - on ({VALUE}) group_right () {S.VARIABLE_SHARE_BEFORE}"
    gain = differs_from_all(
        f"{difference} > on ({PAST}) group_left () {estimate_noise(observations, least, width)}", VALUE
    )
    return f"""(
  {share}{{variable!~"{NOT_WEIGHED}"}}
  and on ({VALUE}) ({gain})
  and on ({VALUE}) {share} - {S.VARIABLE_LATELY} > {least}
)"""


def _remember_since(record: str, begins: str, holds: str, gap: str) -> str:
    """Remember when a condition began to hold."""
    return f"""\
last_over_time({record}[{gap}]) and on ({VALUE}) ({holds})
or on ({VALUE}) ({begins}) * 0 + time()"""
