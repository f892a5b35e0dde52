"""The values of variables that a task used, as texts `variable/scope=value`.

The collector counts them with the verdicts of the task. They are names, versions and hashes, never content. There is a
limit for a task and one for each scope, because each value becomes a series.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from otel_agentops.operations import Value

_MAX_VALUES = 14  # of one task; of the collector's 20 slots six are left for its own
_MAX_PER_SCOPE = 20  # values of one variable and scope that this process tells apart
_MAX_SCOPES = 1000  # that are remembered, before the memory starts over
_IDLE_S = 3600  # a value that was not used for so long makes room for a new one
OTHER = "other"

# By `variable/scope`, each value with the time of its last use in s. A race makes one value too many, at worst.
_last_uses: dict[str, dict[str, float]] = {}


def format_values(values: Iterable[tuple[str, Value | None, Value | None]]) -> list[str]:
    """Return each value once, in order; one value too many of its scope, or of the task, is `other`.

    Args:
        values: Variable, scope and value. An unknown value, None or empty, is left out.
    """
    texts: dict[str, None] = {}
    for variable, scope, value in values:
        if value:
            place = f"{variable}/{str(scope or 'unknown').replace('=', '%3D')}"
            texts[f"{place}={limit_value(place, str(value)).replace('=', '%3D')}"] = None
    formatted = list(texts)
    return formatted if len(formatted) <= _MAX_VALUES else [*formatted[: _MAX_VALUES - 1], OTHER]


def limit_value(place: str, value: str) -> str:
    """Return the value, or `other` if a place, `variable/scope`, has too many."""
    last_uses = _last_uses.get(place)
    if last_uses is None:
        if len(_last_uses) >= _MAX_SCOPES:
            _last_uses.clear()
        last_uses = _last_uses.setdefault(place, {})
    now = monotonic()
    if value not in last_uses and len(last_uses) >= _MAX_PER_SCOPE:
        oldest = min(list(last_uses.items()), key=lambda use: use[1])
        if now - oldest[1] < _IDLE_S:
            return OTHER
        last_uses.pop(oldest[0], None)
    last_uses[value] = now
    return value
