"""Traffic moves as a mix: the total variation distance between the segments of the last hour and those of before.

It is half of the sum of what all segments gained or lost: the part of the traffic that is another one. Told is a mix
that differs by a fifth, and by more than chance, from the whole day before and from the same hours of the day and of
the week before. So a night that is like every night is not told. A service younger than a day has no such hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.slo._promql import SERVICE, Clock, rule
from otel_agentops.slo.moves.before import COUNTED, PAST, SHARE, against_all
from otel_agentops.slo.variables import PREFIX, SCOPE, VALUE

LEAST = 0.2
# By chance alone the distance of two mixes of k segments is 0.4 sqrt(k / n) for independent observations.
WIDTH = 2

_TRAFFIC = "otel_agentops:traffic:"
_MIX = '{variable="traffic"}'


def traffic_rules(clock: Clock) -> Iterator[dict[str, Any]]:
    """In the order in which they read each other."""
    then, now = f"{SHARE}{_MIX}", f"{PREFIX}share1h{_MIX}"
    changes = f"abs({then} - on ({VALUE}) group_left () {now}) or {then} unless on ({VALUE}) {now}"
    yield rule(f"{_TRAFFIC}distances", f"0.5 * sum by ({PAST}) ({changes})")
    yield rule(f"{_TRAFFIC}distance", f'sum by ({", ".join(SERVICE)}) ({_TRAFFIC}distances{{against="whole"}})')
    yield rule(f"{_TRAFFIC}noise", _noise())
    for name, part in (("near", 2), ("far", 1)):
        differs = f"{_TRAFFIC}distances > on ({PAST}) {_TRAFFIC}noise / {part}"
        old = f'{_TRAFFIC}distances{{against="day"}} and on ({SCOPE}) {PREFIX}known offset {clock.window("26h")}'
        yield rule(f"{_TRAFFIC}{name}", f"{against_all(differs, SCOPE)}\nand on ({SCOPE}) ({old})")
    for name, condition in (("left", "near"), ("shifted", "far")):
        yield rule(f"{_TRAFFIC}{name}", _since(f"{_TRAFFIC}{name}", f"{_TRAFFIC}{condition}", clock))
    yield rule(f"{_TRAFFIC}shift", _shift(clock))


def shifted(clock: Clock) -> str:
    """What is told of it."""
    return f"({_TRAFFIC}shift and on ({SCOPE}) {_TRAFFIC}shifted > time() - {clock.seconds('2h'):g})"


def _noise() -> str:
    """What may be chance, at least a fifth."""
    now, then = f"sum by ({SCOPE}) ({PREFIX}increase1h{_MIX})", f"sum by ({PAST}) ({COUNTED}{_MIX})"
    segments = f"count by ({PAST}) ({SHARE}{_MIX})"
    return f"clamp_min({WIDTH} * sqrt({segments} * (1 / {then} + on ({SCOPE}) group_left () 1 / {now})), {LEAST})"


def _shift(clock: Clock) -> str:
    """When the mix began to differ, within the hour that is compared. value, previous: what grew and shrank most."""
    now, whole = f"{PREFIX}share1h{_MIX}", f'max by ({VALUE}) ({SHARE}{{variable="traffic", against="whole"}})'
    grew = f"topk by ({SCOPE}) (1, {now} - on ({VALUE}) {whole})"
    shrank = f"topk by ({SCOPE}) (1, {whole} - on ({VALUE}) {now} or {whole} unless on ({VALUE}) {now})"
    since = f"clamp_min({_TRAFFIC}left, time() - {clock.seconds('1h'):g})"
    return f"""\
last_over_time({_TRAFFIC}shift[{clock.window("15m", 12)}]) and on ({SCOPE}) {_TRAFFIC}shifted
or on ({SCOPE}) (
  {grew} * 0 + on ({SCOPE}) group_left () ({since} and on ({SCOPE}) {_TRAFFIC}far)
) * on ({SCOPE}) group_left (previous) (label_join({shrank}, "previous", "", "value") * 0 + 1)"""


def _since(record: str, condition: str, clock: Clock) -> str:
    """When a condition began to hold; it may be away for an hour."""
    hour = clock.window("1h")
    return f"""\
last_over_time({record}[{hour}]) and on ({SCOPE}) last_over_time({condition}[{hour}])
or on ({SCOPE}) {condition} * 0 + time()"""
