"""Health of what an operation depends on: providers, tools and retrievals, each against its own day before.

A lost replica, an outage and a rate limit move no identity, so they are seen here alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule
from otel_agentops.slo.series import SERVICE, spell_label

# Surface to its operations and the attribute of its name.
SURFACES = {
    "provider": ("chat|embeddings|generate_content|text_completion", A.GEN_AI_PROVIDER_NAME),
    "retrieval": ("retrieval", A.INDEX_NAME),
    "tool": ("execute_tool", A.GEN_AI_TOOL_NAME),
}
_RETRIEVAL = 'surface="retrieval"'
# Kind to the reasons with which the collector tags an operation. A cancelled one is no failure.
KINDS = {  # to the operations that are of this kind, and those of which they are a part
    "errors": ('reason!~"|cancelled|no_documents|rate_limited"', ""),
    "rate_limited": ('reason="rate_limited"', ""),
    "empty": (f'reason="no_documents", {_RETRIEVAL}', _RETRIEVAL),
}
NOW = "10m"
FEWEST = 20  # operations in ten minutes, below which nothing is said
FEWEST_TIMED = 50  # the same of a p95, which rests on a twentieth of them
TIMES = 2  # the usual, from which on a surface is sick
LEAST = 0.02  # more than usual, below which it spends no budget to speak of
BEYOND = 4  # standard deviations of chance: each surface is looked at each minute
SURFACE = ", ".join((*SERVICE, "surface", "name"))
_DURATION = M.METRICS[M.SPAN_DURATION].prometheus


class Look(NamedTuple):
    """A window, and how long ago it ended."""

    window: str
    ago: str = ""


def build_surface_rules(clock: Clock) -> Iterator[Rule]:
    """Yield operations, the figures of now, and which surfaces are sick or well."""
    for surface in SURFACES:
        growth = _name_surface(express_growth(f"{_DURATION}_count{_select_operations(surface)}", clock), surface)
        reason = f'label_join({growth}, "reason", "", "{spell_label(A.INCIDENT_REASON)}")'
        by = ", ".join((*SERVICE, "name", "reason"))
        yield make_rule(S.SURFACE_INCREASE, f"sum by ({by}) (\n  {reason}\n)", surface=surface)
    now = Look(clock.to_range(NOW))
    yield from _build_figure_rules(S.SURFACE_NOW, now)
    usual = f"last_over_time({S.SURFACE_USUAL}[{clock.to_duration('10m')}])"
    yield make_rule(S.SURFACE_SICK, _express_sick(usual, now))
    observed = (
        f"group by ({SURFACE}) ({S.SURFACE_NOW} and {usual} and on ({SURFACE}) {_count_operations(now)} >= {FEWEST})"
    )
    yield make_rule(S.SURFACE_WELL, f"{observed} unless on ({SURFACE}) {S.SURFACE_SICK}")


def build_usual_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the same figures of the day before the last hour."""
    yield from _build_figure_rules(S.SURFACE_USUAL, Look(clock.to_range("1d"), f" offset {clock.to_duration('1h')}"))


def _build_figure_rules(record: str, look: Look) -> Iterator[Rule]:
    """Yield the part of the operations for each kind, 0 if there was none, and the 95th percentile of durations."""
    for kind, (these, all_) in KINDS.items():
        every = f"({_count_operations(look, all_)} > 0)"
        yield make_rule(record, f"{_count_operations(look, these)} / {every}\nor\n{every} * 0", kind=kind)
    for surface in SURFACES:
        buckets = f"rate({_DURATION}_bucket{_select_operations(surface)}[{look.window}]{look.ago})"
        by = ", ".join((*SERVICE, "name", "le"))
        p95 = f"histogram_quantile(0.95, sum by ({by}) ({_name_surface(buckets, surface)}))"
        yield make_rule(record, f"{p95} >= 0", surface=surface, kind="latency")


def _express_sick(usual: str, now: Look) -> str:
    """Return the figures of now that are well above the usual ones, beyond chance."""
    count = f"on ({SURFACE}) group_left () ({_count_operations(now)} >= %d)"
    deviation = f"sqrt(({usual} * (1 - {usual}) + 1 / ({S.SURFACE_NOW} * 0 + {count % FEWEST})) / {count % FEWEST})"
    parts = f'{S.SURFACE_NOW}{{kind!="latency"}}'
    slow = f'{S.SURFACE_NOW}{{kind="latency"}}'
    return f"""\
(
  {parts} > {TIMES} * {usual}
  and {parts} - {usual} > {LEAST}
  and {parts} - {usual} > {BEYOND} * {deviation}
) or (
  {slow} > {TIMES} * {usual}
  and {slow} + {count % FEWEST_TIMED}
)"""


def _count_operations(look: Look, matchers: str = "") -> str:
    selector = f"{S.SURFACE_INCREASE}{{{matchers}}}" if matchers else S.SURFACE_INCREASE
    return f"sum by ({SURFACE}) (sum_over_time({selector}[{look.window}]{look.ago}))"


def _select_operations(surface: str) -> str:
    operations, name = SURFACES[surface]
    return f'{{{spell_label(A.GEN_AI_OPERATION_NAME)}=~"{operations}", {spell_label(name)}!=""}}'


def _name_surface(series: str, surface: str) -> str:
    return f'label_join({series}, "name", "", "{spell_label(SURFACES[surface][1])}")'
