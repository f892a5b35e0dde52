"""The tasks that run now, as metrics: a loop that never ends is seen before it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from otel_agentops._guard import guard
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.task_totals import TaskTotals, open_tasks

_MAX_NAMES = 100  # of tasks that are told as 0 when none of them runs


def _sum_tokens(task: TaskTotals) -> int:
    counts = [count for call in list(task.model_calls) for count in call[1:3] if count is not None]
    return sum(counts) + sum(count for pair in list(task.fetched_tokens) for count in pair if count is not None)


def _sum_costs(task: TaskTotals) -> float:
    return sum(call[3] or 0.0 for call in list(task.model_calls))


Reading = Callable[[TaskTotals], float]
_HIGHEST: dict[str, Reading] = {
    M.TASK_OPEN_AGE: lambda task: time.monotonic() - task.opened_at,
    M.TASK_OPEN_LLM_CALLS: lambda task: len(task.model_calls),
    M.TASK_OPEN_TOKENS: _sum_tokens,
    M.TASK_OPEN_COST: _sum_costs,
}


class OpenTaskGauges:
    """Gauges by the name of the task: how many run, and the highest of each fact; read when metrics are collected."""

    def __init__(self, meter: Meter) -> None:
        self._names: dict[str, None] = {}
        self._create_gauge(meter, M.TASK_OPEN_COUNT, None)
        for name, read in _HIGHEST.items():
            self._create_gauge(meter, name, read)

    def _create_gauge(self, meter: Meter, name: str, read: Reading | None) -> None:
        """Create the gauge of the highest reading of the tasks of a name; None for their number."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return guard(self._observe)(read) or ()

        metric = M.METRICS[name]
        meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.brief)

    def _observe(self, read: Reading | None) -> list[Observation]:
        by_name: dict[str, list[TaskTotals]] = {name: [] for name in self._names}
        for reference in list(open_tasks.values()):
            if (task := reference()) is not None:
                by_name.setdefault(task.name, []).append(task)
        # A name that is told no more would keep its last value for a while.
        self._names.update(dict.fromkeys(list(by_name)[:_MAX_NAMES]))
        return [
            Observation(len(tasks) if read is None else max(map(read, tasks), default=0), {A.TASK_NAME: name})
            for name, tasks in by_name.items()
        ]
