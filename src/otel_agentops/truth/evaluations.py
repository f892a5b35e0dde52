"""Judgements of tasks that ended before: events of JSON lines that are counted at the time of their tasks.

A judgement belongs here if it carries the start of its task, which `judge().score(task=receipt)` writes. Any other was
made while its task ran, and the collector has counted it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.slo.indicators import Indicator, verdict_attribute
from otel_agentops.slo.series import SLI
from otel_agentops.truth.labels import UNKNOWN, read_events, read_lines


class Evaluation(NamedTuple):
    """One verdict of an indicator about a judgement.

    Attributes:
        time_s: Start of the task, in Unix seconds.
        indicator: The indicator.
        is_bad: Its verdict.
        labels: The labels of its series, of SLI.
    """

    time_s: float
    indicator: Indicator
    is_bad: bool
    labels: Mapping[str, str]


def read_evaluations(files: Sequence[Path], indicators: Iterable[Indicator]) -> list[Evaluation]:
    """Return the judgements in the order of their tasks; what one judge says about a task counts once.

    Raises:
        InputError: A file cannot be read.
    """
    by_name = {indicator.name: indicator for indicator in indicators if indicator.on == "evaluation"}
    found: dict[object, Evaluation] = {}
    for file in files:
        for where, line in read_lines(file):
            for resource, record in read_events(line, where, E.GEN_AI_EVALUATION_RESULT):
                for evaluation in _build_evaluations(resource, record, by_name):
                    task = (record.get(A.TASK_ID) or id(record), record.get(A.GEN_AI_EVALUATION_NAME))
                    found.setdefault((*task, *sorted(evaluation.labels.items())), evaluation)
    return sorted(found.values(), key=lambda each: (each.time_s, sorted(each.labels.items())))


def _build_evaluations(
    resource: Mapping[str, Any], record: Mapping[str, Any], indicators: Mapping[str, Indicator]
) -> Iterator[Evaluation]:
    started_at = record.get(A.TASK_STARTED_AT)
    if not isinstance(started_at, (int, float)):
        return
    for name, indicator in indicators.items():
        verdict = record.get(verdict_attribute(name))
        if verdict is None:  # no collector has seen it
            verdict = _compare_score(record, indicator)
        if verdict in (0, 1):
            facts = {**resource, **record, A.SLI_NAME: name, A.SLI_TYPE: indicator.type}
            known = {A.SERVICE_NAME: UNKNOWN, A.DEPLOYMENT_ENVIRONMENT_NAME: UNKNOWN, **facts}
            labels = {key.replace(".", "_"): str(value) for key, value in known.items()}
            judged = {key: labels[key] for key in SLI if key in labels}
            yield Evaluation(float(started_at), indicator, verdict == 1, judged)


def _compare_score(record: Mapping[str, Any], indicator: Indicator) -> int | None:
    """Return 1 for a score below the floor of an indicator, 0 for another, None if it is not eligible."""
    if indicator.judge is not None and record.get(A.JUDGE_NAME) != indicator.judge:
        return None
    score = record.get(A.GEN_AI_EVALUATION_SCORE_VALUE)
    floor = record.get(indicator.floor) if isinstance(indicator.floor, str) else indicator.floor
    if not isinstance(score, (int, float)) or not isinstance(floor, (int, float)) or not math.isfinite(score):
        return None
    return int(score < floor)
