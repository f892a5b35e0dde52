"""Drift: another model answers to the name in the request, and nobody declared it.

A change is declared if an `otel_agentops.change` event of the same service and environment named it in the last day.
The collector shows a counter for a day after its last event, so that it may be two.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import VALUE

CHANGE_LABELS = ", ".join((*SERVICE, "variable", "value"))
CHANGE = {
    own: name.replace(".", "_")
    for own, name in (("variable", A.CHANGE_VARIABLE), ("scope", A.CHANGE_SCOPE), ("value", A.CHANGE_VALUE))
}


def build_drift_rules(clock: Clock) -> Iterator[Rule]:
    """Yield declared changes, and for a day the moves without one."""
    changes = rename_labels(
        f"last_over_time({M.METRICS[M.CHANGES].prometheus}[{clock.to_duration('1d')}])", "variable", "value"
    )
    yield make_rule(S.VARIABLE_DECLARED, f"count by ({CHANGE_LABELS}) ({changes})")
    moves = f'last_over_time({S.VARIABLE_MOVED}{{variable="model"}}[{clock.to_duration("1d")}])'
    expr = f"""\
({moves} > time() - {clock.to_seconds("1d"):g})
and on ({VALUE}) {S.VARIABLE_KNOWN}
unless on ({CHANGE_LABELS}) {S.VARIABLE_DECLARED}"""
    yield make_rule(S.VARIABLE_DRIFTED, expr)


def rename_labels(series: str, *labels: str) -> str:
    """Return a series with our labels in place of those of a change."""
    for label in labels:
        series = f'label_join({series}, "{label}", "", "{CHANGE[label]}")'
    return series
