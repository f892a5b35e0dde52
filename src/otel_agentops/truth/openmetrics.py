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
from otel_agentops.slo.series import (
    SLI,
    SLI_BAD_INCREASE,
    SLI_EVENTS_INCREASE,
    TRUTH_LABELS_INCREASE,
    TRUTH_PROXY,
    TRUTH_SAMPLING,
    TRUTH_VERDICT,
)
from otel_agentops.truth.evaluations import Evaluation
from otel_agentops.truth.labels import UNKNOWN, Label

JOB = "otel-agentops-backfill"
TICK_S = 60  # between two evaluations of the rules

Series = tuple[tuple[str, str], ...]


def render_series(
    labels: Sequence[Label], batch: str, *, evaluations: Sequence[Evaluation] = (), is_counted: bool = False
) -> str:
    """Return the series, the same for the same labels.

    Args:
        labels: Labels in the order of their tasks.
        batch: The instance of the series, so that two files never share one.
        evaluations: Judgements in the order of their tasks.
        is_counted: True if the collector counted the labels when they came; budgets must not sum them again then.
    """
    counter = M.METRICS[M.TRUTH_LABELS]
    target = {"job": JOB, "instance": batch}
    name = counter.prometheus.removesuffix("_total")
    lines = []
    if labels:
        lines = [f"# HELP {name} {counter.brief}", f"# TYPE {name} counter", *_format_totals(labels, target)]
    if labels and not is_counted:
        lines += [f"# TYPE {TRUTH_LABELS_INCREASE} gauge", *_format_increases(labels, target)]
    for series, bad_alone in ((SLI_EVENTS_INCREASE, False), (SLI_BAD_INCREASE, True)) if evaluations else ():
        lines += [f"# TYPE {series} gauge", *_format_verdicts(evaluations, target, series, bad_alone)]
    return "\n".join([*lines, "# EOF", ""])


def _format_totals(labels: Sequence[Label], target: Mapping[str, str]) -> Iterator[str]:
    """Yield the counter; each series begins a minute before its first label, at 0."""
    name = M.METRICS[M.TRUTH_LABELS].prometheus
    counts: defaultdict[Series, Counter[float]] = defaultdict(Counter)
    for time_s, series in _iterate_series(labels):
        counts[tuple(sorted({**series, **target}.items()))][time_s] += 1
    for key, times in sorted(counts.items()):
        total = 0
        yield format_sample(name, key, total, min(times) - TICK_S)
        for time_s, count in sorted(times.items()):
            total += count
            yield format_sample(name, key, total, time_s)


def _format_increases(labels: Sequence[Label], target: Mapping[str, str]) -> Iterator[str]:
    """Yield what came within a minute, at its end, as an evaluation would have it."""
    counts: defaultdict[Series, Counter[float]] = defaultdict(Counter)
    for time_s, series in _iterate_series(labels):
        summed = {name: series[name] for name in (*SLI, TRUTH_PROXY, TRUTH_VERDICT, TRUTH_SAMPLING) if name in series}
        counts[tuple(sorted({**summed, **target}.items()))][math.ceil(time_s / TICK_S) * TICK_S] += 1
    for key, times in sorted(counts.items()):
        for time_s, count in sorted(times.items()):
            yield format_sample(TRUTH_LABELS_INCREASE, key, count, time_s)


def _format_verdicts(
    evaluations: Sequence[Evaluation], target: Mapping[str, str], name: str, bad_alone: bool
) -> Iterator[str]:
    """Yield how many verdicts, or bad ones, came within a minute, at its end; there is a 0 if none was bad."""
    counts: defaultdict[Series, Counter[float]] = defaultdict(Counter)
    for each in evaluations:
        key = tuple(sorted({**each.labels, **target}.items()))
        counts[key][math.ceil(each.time_s / TICK_S) * TICK_S] += 1 if each.is_bad or not bad_alone else 0
    for key, times in sorted(counts.items()):
        for time_s, count in sorted(times.items()):
            yield format_sample(name, key, count, time_s)


def _iterate_series(labels: Sequence[Label]) -> Iterator[tuple[float, dict[str, str]]]:
    """Yield time and labels as the collector gives them: a judge's only if the indicator is about its verdicts."""
    for label in labels:
        for indicator, proxy in label.proxies:
            series = {
                A.SERVICE_NAME: label.service,
                A.DEPLOYMENT_ENVIRONMENT_NAME: label.environment,
                A.SLI_NAME: indicator.name,
                A.SLI_TYPE: indicator.type,
                A.TRUTH_PROXY: proxy,
                A.TRUTH_VERDICT: label.verdict,
                A.TRUTH_SAMPLING: label.sampling,
            }
            for name in M.METRICS[M.TRUTH_LABELS].labels:
                if name == A.TASK_NAME or name in indicator.labels:
                    series.setdefault(name, str(label.attributes.get(name, UNKNOWN)))
            yield label.time_s, {name.replace(".", "_"): value for name, value in series.items()}


def format_sample(name: str, series: Series, value: int, time_s: float) -> str:
    """Return a sample of a series as a line."""
    labels = ",".join(f'{label}="{_escape_label(text)}"' for label, text in series)
    return f"{name}{{{labels}}} {value} {round(time_s, 3):.15g}"


def _escape_label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
