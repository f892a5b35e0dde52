"""Labels as OpenMetrics, each at the time of its task: `promtool tsdb create-blocks-from openmetrics` reads it.

Two families: the collector's counter, with all its labels, and the series of the rules that budgets sum. Rules are not
evaluated for the past; a sum over the window of an objective takes in what lies there, whoever wrote it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.indicators import Indicator
from otel_agentops.slo.series import SLI, TRUTH_LABELS_INCREASE, TRUTH_PROXY, TRUTH_SAMPLING, TRUTH_VERDICT
from otel_agentops.truth.labels import UNKNOWN, Label

JOB = "otel-agentops-backfill"
TICK = 60  # seconds between two evaluations of the rules

Series = tuple[tuple[str, str], ...]


def text(labels: Sequence[Label], batch: str, *, counted: bool = False) -> str:
    """The same for the same labels. batch: the instance of the series, so that two files never share one.

    counted: the collector has counted them already, when they came; then budgets must not sum them again.
    """
    counter = M.METRICS[M.TRUTH_LABELS]
    target = {"job": JOB, "instance": batch}
    name = counter.prometheus.removesuffix("_total")
    lines = [f"# HELP {name} {counter.brief}", f"# TYPE {name} counter", *_totals(labels, counter.prometheus, target)]
    if not counted:
        lines += [f"# TYPE {TRUTH_LABELS_INCREASE} gauge", *_increases(labels, target)]
    return "\n".join([*lines, "# EOF", ""])


def _totals(labels: Sequence[Label], name: str, target: Mapping[str, str]) -> Iterator[str]:
    """Each series begins a minute before its first label, at 0."""
    found: defaultdict[Series, Counter[float]] = defaultdict(Counter)
    for one in labels:
        for indicator, proxy in one.proxies:
            found[_sorted({**_of(one, indicator, proxy, M.METRICS[M.TRUTH_LABELS].labels), **target})][one.time] += 1
    for series, times in sorted(found.items()):
        total = 0
        yield _line(name, series, total, min(times) - TICK)
        for time, count in sorted(times.items()):
            total += count
            yield _line(name, series, total, time)


def _increases(labels: Sequence[Label], target: Mapping[str, str]) -> Iterator[str]:
    """What came within a minute, at its end, as an evaluation would have it."""
    found: defaultdict[Series, Counter[float]] = defaultdict(Counter)
    for one in labels:
        for indicator, proxy in one.proxies:
            every = _of(one, indicator, proxy, M.METRICS[M.TRUTH_LABELS].labels)
            kept = {name: every[name] for name in (*SLI, TRUTH_PROXY, TRUTH_VERDICT, TRUTH_SAMPLING) if name in every}
            found[_sorted({**kept, **target})][math.ceil(one.time / TICK) * TICK] += 1
    for series, times in sorted(found.items()):
        for time, count in sorted(times.items()):
            yield _line(TRUTH_LABELS_INCREASE, series, count, time)


def _of(one: Label, indicator: Indicator, proxy: str, names: Sequence[str]) -> dict[str, str]:
    """The labels that the collector gives: a judge's only where the indicator is about its verdicts."""
    said = {
        A.SERVICE_NAME: one.service,
        A.DEPLOYMENT_ENVIRONMENT_NAME: one.environment,
        A.SLI_NAME: indicator.name,
        A.SLI_TYPE: indicator.type,
        A.TRUTH_PROXY: proxy,
        A.TRUTH_VERDICT: one.verdict,
        A.TRUTH_SAMPLING: one.sampling,
    }
    for name in names:
        if name == A.TASK_NAME or name in indicator.labels:
            said.setdefault(name, str(one.attributes.get(name, UNKNOWN)))
    return {name.replace(".", "_"): value for name, value in said.items()}


def _sorted(labels: Mapping[str, str]) -> Series:
    return tuple(sorted(labels.items()))


def _line(name: str, series: Series, value: int, time: float) -> str:
    written = ",".join(f'{label}="{_escaped(value)}"' for label, value in series)
    return f"{name}{{{written}}} {value} {round(time, 3):.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
