"""What labels say about a proxy: how often it is right, and the error that follows from it for all events.

Of a confusion table the two rows are read, one for each verdict of the proxy:

    ppv    part of the truly bad where the proxy says bad
    for    part of the truly bad where the proxy says good
    error  ppv * p + for * (1 - p), where p is the proxy's own error ratio, which knows every event

Only labels of a random sample count. Who complains is no sample: where one takes the tasks that were escalated, most
are bad, whatever the others are. The chance to be labelled may depend on what the proxy said, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING
from typing import Any

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import SERVICE, Clock, grown, number, quoted, rule
from otel_agentops.slo.collector import late
from otel_agentops.slo.prometheus.objective import SLI, selector
from otel_agentops.slo.spec import Slo

PROXY, VERDICT, SAMPLING = (name.replace(".", "_") for name in (A.TRUTH_PROXY, A.TRUTH_VERDICT, A.TRUTH_SAMPLING))
LABELS_INCREASE = "otel_agentops:truth_labels:increase"
_RANDOM = f'{SAMPLING}="random"'

# Of a row, not of a cell: whether a number is shown must not depend on what was found. Below ten labels a 95 % interval
# is wider than half of all that a share can be.
LABELS = 10
# 95 % of a normal distribution, for Wilson's interval: it has a width also where 0 of n are bad.
_Z = 1.96


def label_rules(clock: Clock) -> Iterator[dict[str, Any]]:
    """Labels that arrived since the last evaluation, and how late the random ones were."""
    labels = grown(M.METRICS[M.TRUTH_LABELS].prometheus, clock)
    by = ", ".join((*SLI, PROXY, VERDICT, SAMPLING))
    yield rule(LABELS_INCREASE, f"sum by ({by}) (\n  {labels}\n)")
    delays = grown(f"{M.METRICS[M.TRUTH_DELAY].prometheus}_bucket{{{_RANDOM}}}", clock)
    by = ", ".join((*SERVICE, "le"))
    yield rule("otel_agentops:truth_delay:increase", f"sum by ({by}) (\n  {delays}\n)")


def truth_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """Of a proxy that labels can be held against; what is measured directly needs no truth."""
    if not comparable(slo):
        return
    made = (*_counts(slo, clock), *_shares(slo), *_corrected(slo))
    yield from (rule(f"otel_agentops:{name}", expr, slo=slo.name) for name, expr in made)


def comparable(slo: Slo) -> bool:
    """Whether a label of a task says something about the proxy: it judges what an outcome event carries."""
    return slo.indicator.type == "proxy" and late(slo.indicator)


def incomparable(slo: Slo) -> str:
    """That nobody can ever know how often a proxy is right; else nothing."""
    if slo.indicator.type != "proxy" or comparable(slo):
        return ""
    return (
        f"{slo.name}: {slo.indicator.name} is a proxy that reads more than an outcome event carries: no label can be "
        "held against it, and its budget is never corrected"
    )


def random_labels(slo: Slo, clock: Clock, nominal: str) -> str:
    """How many labels of a random sample came within a window."""
    labels = f"{LABELS_INCREASE}{selector(slo)[:-1]}, {_RANDOM}}}"
    return f"sum by ({', '.join(SLI)}) (sum_over_time({labels}[{clock.samples(nominal)}]))"


def needed(slo: Slo, row: str) -> int:
    """Labels that a row must have.

    Nearly all events are in the row of the good. With fewer than 1/budget labels there, a single one would spend or
    save the whole budget.
    """
    single = int((1 / slo.budget).to_integral_value(ROUND_CEILING))
    return max(LABELS, single) if row == "good" else LABELS


# -- counts


def _counts(slo: Slo, clock: Clock) -> Iterator[tuple[str, str]]:
    of, window = _of(slo), clock.samples(slo.window)
    labels = f"{LABELS_INCREASE}{selector(slo)}"
    random = f"{labels[:-1]}, {_RANDOM}}}"
    yield "slo_truth:cell", f"sum by ({', '.join((*SLI, PROXY, VERDICT))}) (sum_over_time({random}[{window}]))"
    yield "slo_truth:labels", f"sum without ({PROXY}, {VERDICT}) (otel_agentops:slo_truth:cell{of})"
    every = f"sum by ({', '.join((*SLI, 'slo'))}) (label_replace(sum_over_time({labels}[{window}]), {_named(slo)}))"
    events = f"(otel_agentops:slo_events:increase{of} > 0)"
    yield "slo_truth:coverage", f"{every} / {events}\nor\n{events} * 0"
    yield "slo_truth:delay", _delay(of, window)


def _named(slo: Slo) -> str:
    return f'"slo", {quoted(slo.name)}, "", ""'


def _delay(of: str, window: str) -> str:
    """The median. Labels know their task and not the indicator: the delay is that of the service."""
    delays = f"sum_over_time(otel_agentops:truth_delay:increase[{window}])"
    service = ", ".join(SERVICE)
    median = f"histogram_quantile(0.5, sum by ({service}, le) ({delays}))"
    return f"(otel_agentops:slo_truth:labels{of} > 0) * 0 + on ({service}) group_left () ({median} >= 0)"


# -- shares of a row, with their intervals


def _shares(slo: Slo) -> Iterator[tuple[str, str]]:
    for name, row in (("ppv", "bad"), ("for", "good")):
        count = f"(sum without ({PROXY}, {VERDICT}) ({_cell(slo, row)}) >= {needed(slo, row)})"
        found = f"sum without ({PROXY}, {VERDICT}) ({_cell(slo, row, 'bad')})"
        yield f"slo_truth:{name}", f"(\n  {found}\n  or {count} * 0\n) / {count}"
        for bound, sign in (("low", "-"), ("high", "+")):
            yield f"slo_truth:{name}_{bound}", _wilson(f"otel_agentops:slo_truth:{name}{_of(slo)}", count, sign)


def _wilson(share: str, count: str, sign: str) -> str:
    square = _Z * _Z
    return f"""\
(
  {share} + {number(round(square / 2, 4))} / {count}
  {sign} {_Z} * sqrt(({share} * (1 - {share}) + {number(round(square / 4, 4))} / {count}) / {count})
) / (1 + {number(round(square, 4))} / {count})"""


# -- corrected


def _corrected(slo: Slo) -> Iterator[tuple[str, str]]:
    """Where the proxy found nothing bad, or nothing good, that row has no weight and needs no labels."""
    of = _of(slo)
    p = f"otel_agentops:slo_error:ratio{of}"
    ppv, missed = (f"otel_agentops:slo_truth:{name}{of}" for name in ("ppv", "for"))
    yield (
        "slo_corrected:error",
        f"{ppv} * {p} + {missed} * (1 - {p})\nor\n{missed} and {p} == 0\nor\n{ppv} and {p} == 1",
    )
    for bound, sign in (("low", "-"), ("high", "+")):
        yield f"slo_corrected:error_{bound}", _combined(of, bound, sign)
    yield "slo_corrected:remaining", f"1 - otel_agentops:slo_corrected:error{of} / {number(slo.budget)}"


def _combined(of: str, bound: str, sign: str) -> str:
    """The interval of a weighted sum of two shares, from that of each: square-and-add (Zou and Donner 2008)."""
    p = f"otel_agentops:slo_error:ratio{of}"
    ppv, missed = (f"otel_agentops:slo_truth:{name}" for name in ("ppv", "for"))
    return f"""\
otel_agentops:slo_corrected:error{of} {sign} sqrt(
  ({p} * ({ppv}{of} - {ppv}_{bound}{of})) ^ 2
  + ((1 - {p}) * ({missed}{of} - {missed}_{bound}{of})) ^ 2
)
or
{missed}_{bound}{of} and {p} == 0
or
{ppv}_{bound}{of} and {p} == 1"""


def _of(slo: Slo) -> str:
    return f"{{slo={quoted(slo.name)}}}"


def _cell(slo: Slo, proxy: str, verdict: str = "") -> str:
    truth = f', {VERDICT}="{verdict}"' if verdict else ""
    return f'otel_agentops:slo_truth:cell{{slo={quoted(slo.name)}, {PROXY}="{proxy}"{truth}}}'
