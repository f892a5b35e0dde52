"""The tasks that run now, as metrics: a loop that never ends is seen before it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_agentops._guard import guard
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.task_totals import TaskTotals, open_tasks

_MAX_NAMES = 100  # of tasks that are told as 0 when none of them runs


Reading: TypeAlias = "Callable[[TaskTotals], float | None]"


def _sum_tokens(task: TaskTotals) -> float | None:
    sums = task.sum_up()
    counts = [sums[key] for key in (A.TASK_INPUT_TOKENS, A.TASK_OUTPUT_TOKENS) if key in sums]
    return sum(cast("list[int]", counts)) if counts else None


def _read_sum(key: str) -> Reading:
    return lambda task: cast("float | None", task.sum_up().get(key))


# None: not known, as on the span of a task that has ended.
_HIGHEST: dict[str, Reading] = {
    M.TASK_OPEN_AGE: lambda task: time.monotonic() - task.opened_at,
    M.TASK_OPEN_LLM_CALLS: _read_sum(A.TASK_LLM_CALLS),
    M.TASK_OPEN_TOKENS: _sum_tokens,
    M.TASK_OPEN_COST: _read_sum(A.TASK_COST),
}


class OpenTaskGauges:
    """Gauges by the name of the task: how many run, and the highest of each fact; read when metrics are collected."""

    def __init__(self, meter: Meter) -> None:
        self._create_gauge(meter, M.TASK_OPEN_COUNT, None)
        for name, read in _HIGHEST.items():
            self._create_gauge(meter, name, read)

    def _create_gauge(self, meter: Meter, name: str, read: Reading | None) -> None:
        """Create the gauge of the highest reading of the tasks of a name; None for their number."""
        told_names: dict[str, None] = {}

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return guard(_observe_tasks)(read, told_names) or ()

        metric = M.METRICS[name]
        meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.brief)


def _observe_tasks(read: Reading | None, told_names: dict[str, None]) -> list[Observation]:
    """Return the value of each name; 0 for one that was told before and has no task now."""
    by_name: dict[str, list[TaskTotals]] = {}
    for reference in list(open_tasks.values()):
        if (task := reference()) is not None:
            by_name.setdefault(task.name, []).append(task)
    # A name that is told no more would keep its last value for a while.
    values: dict[str, float] = {name: 0 for name in told_names if name not in by_name}
    for name, tasks in by_name.items():
        readings = [1 if read is None else read(task) for task in tasks]
        if known := [reading for reading in readings if reading is not None]:
            values[name] = sum(known) if read is None else max(known)
    told_names.update(dict.fromkeys(list(values)[:_MAX_NAMES]))
    return [Observation(value, {A.TASK_NAME: name}) for name, value in values.items()]
