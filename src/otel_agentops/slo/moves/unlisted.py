"""Values that are not in the lock file, as the collector counts them with the fragment of one."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule
from otel_agentops.slo.moves.drift import rename_labels
from otel_agentops.slo.variables import VALUE


def build_unlisted_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the observations within an hour; one is enough."""
    record = S.VARIABLE_UNLISTED_INCREASE
    growth = rename_labels(
        f"({express_growth(M.METRICS[M.UNLISTED_OBSERVATIONS].prometheus, clock)})", "variable", "scope", "value"
    )
    yield make_rule(record, f"sum by ({VALUE}) (\n  {growth}\n)")
    yield make_rule(S.VARIABLE_UNLISTED, f"sum_over_time({record}[{clock.to_range('1h')}]) > 0")
