"""Values that are not in the lock file, as the collector counts them where it has the fragment of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, grown, rule
from otel_agentops.slo.moves.drift import renamed
from otel_agentops.slo.variables import VALUE


def unlisted_rules(clock: Clock) -> Iterator[dict[str, Any]]:
    """Observations within an hour; one is enough."""
    counted = S.VARIABLE_UNLISTED_INCREASE
    seen = renamed(f"({grown(M.METRICS[M.UNLISTED_OBSERVATIONS].prometheus, clock)})", "variable", "scope", "value")
    yield rule(counted, f"sum by ({VALUE}) (\n  {seen}\n)")
    yield rule(S.VARIABLE_UNLISTED, f"sum_over_time({counted}[{clock.samples('1h')}]) > 0")
