"""Traffic moves as a mix: the total variation distance between the segments of the last hour and those of before.

It is half of the sum of what all segments gained or lost: the part of the traffic that changed. A mix is reported if it
differs by a fifth, and by more than chance, from the whole day before and from the same hours of the day and week
before. So a night that is like every night is not reported. A service younger than a day has no such hours.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.moves.before import PAST, differs_from_all
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import SCOPE, VALUE

LEAST = 0.2
# By chance alone the distance of two mixes of k segments is 0.4 sqrt(k / n) for independent observations.
WIDTH = 2

_MIX = '{variable="traffic"}'


def build_traffic_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the rules in the order in which they read each other."""
    then, now = f"{S.VARIABLE_SHARE_BEFORE}{_MIX}", f"{S.name_window(S.VARIABLE_SHARE, '1h')}{_MIX}"
    changes = f"abs({then} - on ({VALUE}) group_left () {now}) or {then} unless on ({VALUE}) {now}"
    yield make_rule(S.TRAFFIC_DISTANCES, f"0.5 * sum by ({PAST}) ({changes})")
    yield make_rule(S.TRAFFIC_DISTANCE, f'sum by ({", ".join(SERVICE)}) ({S.TRAFFIC_DISTANCES}{{against="whole"}})')
    yield make_rule(S.TRAFFIC_NOISE, _estimate_noise())
    for record, part in ((S.TRAFFIC_NEAR, 2), (S.TRAFFIC_FAR, 1)):
        differs = f"{S.TRAFFIC_DISTANCES} > on ({PAST}) {S.TRAFFIC_NOISE} / {part}"
        old_enough = f"{S.VARIABLE_KNOWN} offset {clock.to_duration('26h')}"
        old = f'{S.TRAFFIC_DISTANCES}{{against="day"}} and on ({SCOPE}) {old_enough}'
        yield make_rule(record, f"{differs_from_all(differs, SCOPE)}\nand on ({SCOPE}) ({old})")
    for record, condition in ((S.TRAFFIC_LEFT, S.TRAFFIC_NEAR), (S.TRAFFIC_SHIFTED, S.TRAFFIC_FAR)):
        yield make_rule(record, _remember_since(record, condition, clock))
    yield make_rule(S.TRAFFIC_SHIFT, _remember_shift(clock))


def select_shifted(clock: Clock) -> str:
    """Select the shifts of the last two hours."""
    return f"({S.TRAFFIC_SHIFT} and on ({SCOPE}) {S.TRAFFIC_SHIFTED} > time() - {clock.to_seconds('2h'):g})"


def _estimate_noise() -> str:
    """Return the distance that may be chance, at least a fifth."""
    now, then = (
        f"sum by ({SCOPE}) ({S.name_window(S.VARIABLE_INCREASE, '1h')}{_MIX})",
        f"sum by ({PAST}) ({S.VARIABLE_BEFORE}{_MIX})",
    )
    segments = f"count by ({PAST}) ({S.VARIABLE_SHARE_BEFORE}{_MIX})"
    return f"clamp_min({WIDTH} * sqrt({segments} * (1 / {then} + on ({SCOPE}) group_left () 1 / {now})), {LEAST})"


def _remember_shift(clock: Clock) -> str:
    """Remember when the mix began to differ, within the hour that is compared.

    The labels `value` and `previous` are the segments that grew and shrank most.
    """
    now, whole = (
        f"{S.name_window(S.VARIABLE_SHARE, '1h')}{_MIX}",
        f'max by ({VALUE}) ({S.VARIABLE_SHARE_BEFORE}{{variable="traffic", against="whole"}})',
    )
    grew = f"topk by ({SCOPE}) (1, {now} - on ({VALUE}) {whole})"
    shrank = f"topk by ({SCOPE}) (1, {whole} - on ({VALUE}) {now} or {whole} unless on ({VALUE}) {now})"
    since = f"clamp_min({S.TRAFFIC_LEFT}, time() - {clock.to_seconds('1h'):g})"
    return f"""\
last_over_time({S.TRAFFIC_SHIFT}[{clock.to_duration("15m", 12)}]) and on ({SCOPE}) {S.TRAFFIC_SHIFTED}
or on ({SCOPE}) (
  {grew} * 0 + on ({SCOPE}) group_left () ({since} and on ({SCOPE}) {S.TRAFFIC_FAR})
) * on ({SCOPE}) group_left (previous) (label_join({shrank}, "previous", "", "value") * 0 + 1)"""


def _remember_since(record: str, condition: str, clock: Clock) -> str:
    """Remember when a condition began to hold; it may be away for an hour."""
    hour = clock.to_duration("1h")
    return f"""\
last_over_time({record}[{hour}]) and on ({SCOPE}) last_over_time({condition}[{hour}])
or on ({SCOPE}) {condition} * 0 + time()"""
