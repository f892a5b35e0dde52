"""The events of a value and of the others of its scope while both were in use, and their two ratios of bad ones."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, divide_counts, make_rule
from otel_agentops.slo.evidence.increments import KNOWN, SCOPE, VALUE
from otel_agentops.slo.evidence.start import build_sum_rule


def build_contrast_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the share, the four counts of a contrast, their sums since the start, and the two ratios."""
    events = S.SLI_VALUE_EVENTS_INCREASE + KNOWN
    share = f"{events} / on ({SCOPE}) group_left () sum by ({SCOPE}) ({events}) > 0 < 1"
    yield make_rule(S.SLI_VALUE_SHARE, share)
    increases = {"events": S.SLI_VALUE_EVENTS_INCREASE, "bad": S.SLI_VALUE_BAD_INCREASE}
    for counted, increase in increases.items():
        record, share = S.SLI_VALUE_CONTRAST_INCREASE, S.SLI_VALUE_SHARE
        yield make_rule(record, f"{increase} and {share}", counted=counted)
        others = f"{share} * 0 + on ({SCOPE}) group_left () sum by ({SCOPE}) ({increase}{KNOWN}) - {increase}"
        yield make_rule(record, others, counted=f"other_{counted}")
    yield build_sum_rule(S.SLI_VALUE_CONTRAST_SINCE, S.SLI_VALUE_CONTRAST_INCREASE, clock)
    for record, increase in (
        (S.SLI_VALUE_EVENTS_SINCE, S.SLI_VALUE_EVENTS_INCREASE),
        (S.SLI_VALUE_BAD_SINCE, S.SLI_VALUE_BAD_INCREASE),
    ):
        yield build_sum_rule(record, increase, clock, S.name_window(increase, "1h"))
    for record, increase in (
        (S.SLI_EVENTS_SINCE, S.SLI_EVENTS_INCREASE),
        (S.SLI_BAD_SINCE, S.SLI_BAD_INCREASE),
    ):
        yield build_sum_rule(record, increase, clock)
    contrast = divide_counts(select_count("bad"), select_count("events"))
    every = divide_counts(S.SLI_VALUE_BAD_SINCE, S.SLI_VALUE_EVENTS_SINCE)
    yield make_rule(S.SLI_VALUE_RATIO, f"{contrast}\nor on ({VALUE})\n{every}")
    yield make_rule(S.SLI_VALUE_RATIO_OTHERS, divide_counts(select_count("other_bad"), select_count("other_events")))


def select_count(counted: str, series: str = S.SLI_VALUE_CONTRAST_SINCE) -> str:
    """Return one count of a contrast, by default since the start."""
    return f'sum without (counted) ({series}{{counted="{counted}"}})'
