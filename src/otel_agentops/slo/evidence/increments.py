"""Events and bad events by the value that they used, to the unit."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule
from otel_agentops.slo.moves.drift import rename_labels
from otel_agentops.slo.series import SLI

INDICATOR = ", ".join(SLI)
SCOPE = f"{INDICATOR}, variable, scope"
VALUE = f"{SCOPE}, value"
# Nothing can be compared with what is not known, and nobody can take it back. A failed call has no model. And a request
# that failed below is no value that an event had before it went bad.
KNOWN = '{value!="unknown", variable!="downstream"}'
_INCREASES = {S.SLI_VALUE_EVENTS_INCREASE: M.SLI_VALUE_EVENTS, S.SLI_VALUE_BAD_INCREASE: M.SLI_VALUE_BAD}


def build_increment_rules(clock: Clock) -> Iterator[Rule]:
    """Yield what came since the last evaluation, and the sums of five minutes and of an hour."""
    for record, metric in _INCREASES.items():
        growth = express_growth(M.METRICS[metric].prometheus, clock)
        yield make_rule(record, f"sum by ({VALUE}) (\n  {rename_labels(growth, 'variable', 'scope', 'value')}\n)")
    yield from _build_window_rules(clock, "5m", "1h")


def build_long_increment_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the sums of six hours and of a day, which cost most and are for people to read."""
    yield from _build_window_rules(clock, "6h", "1d")


def _build_window_rules(clock: Clock, *windows: str) -> Iterator[Rule]:
    for window in windows:
        for record in _INCREASES:
            yield make_rule(S.name_window(record, window), f"sum_over_time({record}[{clock.to_range(window)}])")
