"""The part of the excess of bad events that a value accounts for.

The excess are the bad events beyond the error ratio of the day before. Of these a value accounts for its bad events
beyond the error ratio of the other values.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.evidence.increments import INDICATOR, SCOPE
from otel_agentops.slo.evidence.start import recall_last, select_burning


def build_explained_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the error ratio of before, which a burn does not change, and the explained part."""
    ratio = S.name_window(S.SLI_ERROR_RATIO, "1d")
    last = f"{recall_last(S.SLI_ERROR_BEFORE, clock)} and on ({INDICATOR}) {select_burning(clock)}"
    yield make_rule(S.SLI_ERROR_BEFORE, f"{last}\nor\n{ratio} offset {clock.to_duration('1h')}")
    excess = f"{S.SLI_BAD_SINCE} - {S.SLI_EVENTS_SINCE} * {S.SLI_ERROR_BEFORE} > 0"
    expr = f"""\
clamp(
  ({S.SLI_VALUE_BAD_SINCE} - {S.SLI_VALUE_EVENTS_SINCE} * {S.SLI_VALUE_RATIO_OTHERS})
  / on ({INDICATOR}) group_left () ({excess}),
  0, 1
)"""
    yield make_rule(S.SLI_VALUE_EXPLAINED, expr)


def build_before_rule(clock: Clock) -> Rule:
    """Return the rule of how much worse than the others a value has always been.

    Half of a bad event is added on both sides, so that the ratio exists without any.
    """
    ago = clock.to_duration("1h")
    counts, others = [], []
    for record in (S.SLI_VALUE_BAD_INCREASE, S.SLI_VALUE_EVENTS_INCREASE):
        count = f"{S.name_window(record, '1d')} offset {ago}"
        counts.append(count)
        others.append(f"({count} * 0 + on ({SCOPE}) group_left () sum by ({SCOPE}) ({count}) - {count})")
    last = f"{recall_last(S.SLI_VALUE_BEFORE, clock)} and on ({INDICATOR}) {select_burning(clock)}"
    own, rest = (f"(({bad} + 0.5) / ({events} > 0))" for bad, events in (counts, others))
    return make_rule(S.SLI_VALUE_BEFORE, f"{last}\nor\n{own} / {rest}")
