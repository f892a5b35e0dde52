"""The truth about a proxy: how often it is right, and the error of all events that follows from it.

The rules read the two rows of a confusion table, one for each verdict of the proxy:

    ppv    part of the truly bad if the proxy says bad
    for    part of the truly bad if the proxy says good
    error  ppv * p + for * (1 - p), where p is the proxy's own error ratio, which knows every event

Only labels of a random sample count. Complaints are no sample: most escalated tasks are bad, whatever the others are.
The chance of a label may depend on the proxy's verdict, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule, quote_string
from otel_agentops.slo.ground_truth import count_needed_labels, has_comparable_proxy
from otel_agentops.slo.prometheus.objective import select_indicator, select_slo
from otel_agentops.slo.series import SERVICE, SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number

_RANDOM = f'{S.TRUTH_SAMPLING}="random"'

# 95 % of a normal distribution, for Wilson's interval, which has a width even if 0 of n are bad.
_Z = 1.96


def build_label_rules(clock: Clock) -> Iterator[Rule]:
    """Yield new labels, and how late the random ones were."""
    labels = express_growth(M.METRICS[M.TRUTH_LABELS].prometheus, clock)
    by = ", ".join((*SLI, S.TRUTH_PROXY, S.TRUTH_VERDICT, S.TRUTH_SAMPLING))
    yield make_rule(S.TRUTH_LABELS_INCREASE, f"sum by ({by}) (\n  {labels}\n)")
    delays = express_growth(f"{M.METRICS[M.TRUTH_DELAY].prometheus}_bucket{{{_RANDOM}}}", clock)
    by = ", ".join((*SERVICE, "le"))
    yield make_rule(S.TRUTH_DELAY_INCREASE, f"sum by ({by}) (\n  {delays}\n)")


def build_truth_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the rules of a proxy; what is measured directly needs no truth."""
    if not has_comparable_proxy(slo):
        return
    records = (*_count_labels(slo, clock), *_share_rows(slo), *_correct_error(slo))
    yield from (make_rule(record, expr, slo=slo.name) for record, expr in records)


def count_random_labels(slo: Slo, clock: Clock, nominal: str) -> str:
    """Return the number of random labels within a window."""
    labels = f"{S.TRUTH_LABELS_INCREASE}{select_indicator(slo)[:-1]}, {_RANDOM}}}"
    return f"sum by ({', '.join(SLI)}) (sum_over_time({labels}[{clock.to_range(nominal)}]))"


# -- counts


def _count_labels(slo: Slo, clock: Clock) -> Iterator[tuple[str, str]]:
    of, window = select_slo(slo), clock.to_range(slo.window)
    name = f'"slo", {quote_string(slo.name)}, "", ""'
    labels = f"{S.TRUTH_LABELS_INCREASE}{select_indicator(slo)}"
    random = f"{labels[:-1]}, {_RANDOM}}}"
    yield (
        S.SLO_TRUTH_CELL,
        f"sum by ({', '.join((*SLI, S.TRUTH_PROXY, S.TRUTH_VERDICT))}) (sum_over_time({random}[{window}]))",
    )
    yield S.SLO_TRUTH_LABELS, f"sum without ({S.TRUTH_PROXY}, {S.TRUTH_VERDICT}) ({S.SLO_TRUTH_CELL}{of})"
    every = f"sum by ({', '.join((*SLI, 'slo'))}) (label_replace(sum_over_time({labels}[{window}]), {name}))"
    events = f"({S.SLO_EVENTS_INCREASE}{of} > 0)"
    # A label may come after its task has left the window, and a task may have several.
    yield S.SLO_TRUTH_COVERAGE, f"clamp_max({every} / {events}, 1)\nor\n{events} * 0"
    yield S.SLO_TRUTH_DELAY, _express_delay(of, window)


def _express_delay(of: str, window: str) -> str:
    """Return the median delay of the service.

    Labels know their task and not the indicator.
    """
    delays = f"sum_over_time({S.TRUTH_DELAY_INCREASE}[{window}])"
    service = ", ".join(SERVICE)
    median = f"histogram_quantile(0.5, sum by ({service}, le) ({delays}))"
    return f"({S.SLO_TRUTH_LABELS}{of} > 0) * 0 + on ({service}) group_left () ({median} >= 0)"


# -- shares of a row, with their intervals


def _share_rows(slo: Slo) -> Iterator[tuple[str, str]]:
    for share, row in ((S.SLO_TRUTH_PPV, "bad"), (S.SLO_TRUTH_FOR, "good")):
        add = f"sum without ({S.TRUTH_PROXY}, {S.TRUTH_VERDICT})"
        count = f"({add} ({_select_cell(slo, row)}) >= {count_needed_labels(slo, row)})"
        bad = f"{add} ({_select_cell(slo, row, 'bad')})"
        yield share, f"(\n  {bad}\n  or {count} * 0\n) / {count}"
        for bound, sign in (("low", "-"), ("high", "+")):
            yield S.name_bound(share, bound), _bound_share(f"{share}{select_slo(slo)}", count, sign)


def _bound_share(share: str, count: str, sign: str) -> str:
    square = _Z * _Z
    return f"""\
(
  {share} + {format_number(round(square / 2, 4))} / {count}
  {sign} {_Z} * sqrt(({share} * (1 - {share}) + {format_number(round(square / 4, 4))} / {count}) / {count})
) / (1 + {format_number(round(square, 4))} / {count})"""


# -- corrected


def _correct_error(slo: Slo) -> Iterator[tuple[str, str]]:
    """Yield the corrected error.

    If the proxy calls nothing bad, or nothing good, that row has no weight and needs no labels.
    """
    of = select_slo(slo)
    p = f"{S.SLO_ERROR_RATIO}{of}"
    ppv, missed = f"{S.SLO_TRUTH_PPV}{of}", f"{S.SLO_TRUTH_FOR}{of}"
    yield (
        S.SLO_CORRECTED_ERROR,
        f"{ppv} * {p} + {missed} * (1 - {p})\nor\n{missed} and {p} == 0\nor\n{ppv} and {p} == 1",
    )
    for bound, sign in (("low", "-"), ("high", "+")):
        yield S.name_bound(S.SLO_CORRECTED_ERROR, bound), _bound_error(of, bound, sign)
    yield S.SLO_CORRECTED_REMAINING, f"1 - {S.SLO_CORRECTED_ERROR}{of} / {format_number(slo.budget)}"


def _bound_error(of: str, bound: str, sign: str) -> str:
    """Return one end of the interval of a weighted sum of two shares.

    It follows from theirs: square-and-add (Zou and Donner 2008).
    """
    p = f"{S.SLO_ERROR_RATIO}{of}"
    ppv, ppv_bound = f"{S.SLO_TRUTH_PPV}{of}", f"{S.name_bound(S.SLO_TRUTH_PPV, bound)}{of}"
    missed, missed_bound = f"{S.SLO_TRUTH_FOR}{of}", f"{S.name_bound(S.SLO_TRUTH_FOR, bound)}{of}"
    return f"""\
{S.SLO_CORRECTED_ERROR}{of} {sign} sqrt(
  ({p} * ({ppv} - {ppv_bound})) ^ 2
  + ((1 - {p}) * ({missed} - {missed_bound})) ^ 2
)
or
{missed_bound} and {p} == 0
or
{ppv_bound} and {p} == 1"""


def _select_cell(slo: Slo, proxy: str, verdict: str = "") -> str:
    truth = f', {S.TRUTH_VERDICT}="{verdict}"' if verdict else ""
    return f'{S.SLO_TRUTH_CELL}{{slo={quote_string(slo.name)}, {S.TRUTH_PROXY}="{proxy}"{truth}}}'
