"""With a Prometheus: what its rules recorded and which alerts fire, as its HTTP API tells it and nothing else."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import stack
from demo.seen import SLI, Alert, Budget, Exemplar, Look, Promise, Seen, Value, move_of, spells
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S

STEP = 1  # seconds between the evaluations that are asked for
_ERRORS = S.name_window(S.SLI_ERROR_RATIO, "5m")
_FIRING = 'ALERTS{alertstate="firing"}'
_TASKS = f"sum(rate({M.METRICS[M.TASK_LLM_CALLS].prometheus}_count[6s]))"
_DURATIONS = f"{M.METRICS[M.SPAN_DURATION].prometheus}_bucket"

Series = Mapping[str, str]


class Watch:
    """A source that asks Prometheus."""

    name = "Prometheus"

    def __init__(self, prometheus: stack.Prometheus, promises: Sequence[Promise]) -> None:
        self._prometheus = prometheus
        self._promises = promises

    def look(self) -> Look:
        now = time.time()
        moves = (move_of(labels) for labels, _ in self._query(S.VARIABLE_MOVED, now))
        return Look(
            now,
            next((value for _, value in self._query(_TASKS, now)), None),
            list(self._budgets(now)),
            sorted(self._values(now)),
            frozenset(move for move in moves if move),
            frozenset(Alert.of(labels) for labels, _ in self._query(_FIRING, now)),
        )

    def seen(self, start: float, end: float) -> Seen:
        moves = ((move_of(labels), at) for labels, at in self._range(S.VARIABLE_MOVED, start, end))
        return Seen(
            spells((move, at) for move, at in moves if move),
            spells((Alert.of(labels), at) for labels, at in self._range(_FIRING, start, end)),
        )

    def exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
        found = self._prometheus.client.query_exemplars(f"{_DURATIONS}{{{matchers}}}", start, end)
        return [Exemplar(one.labels["trace_id"], one.time_s) for one in found]

    def _budgets(self, at: float) -> Iterator[Budget]:
        """The worst of each promise: where a judge has several revisions, each has a budget of its own."""
        errors, remaining = self._by(SLI, _ERRORS, at, max), self._by("slo", S.SLO_BUDGET_REMAINING, at, min)
        for promise in self._promises:
            now = errors.get(promise.sli)
            burn = None if now is None else now / (1 - promise.objective)
            yield Budget(promise, now, burn, remaining.get(promise.name))

    def _query(self, expression: str, at: float) -> list[tuple[Series, float]]:
        """All questions of a look are about one moment: else an alert could be seen before what it is about."""
        return [(labels, value) for labels, value in self._prometheus.query(expression, at) if math.isfinite(value)]

    def _by(self, label: str, expression: str, at: float, worst: Callable[[float, float], float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for labels, value in self._query(expression, at):
            found[labels[label]] = worst(value, found.get(labels[label], value))
        return found

    def _values(self, at: float) -> Iterator[Value]:
        found = self._query(S.VARIABLE_ACTIVE, at)
        whole: dict[tuple[str, str], float] = defaultdict(float)
        for labels, value in found:
            whole[labels["variable"], labels["scope"]] += value
        for labels, value in found:
            where = labels["variable"], labels["scope"]
            yield Value(*where, labels["value"], value / whole[where])

    def _range(self, expression: str, start: float, end: float) -> Iterator[tuple[Series, float]]:
        """Each series at each moment at which it was there."""
        for series in self._prometheus.client.query_range(expression, start, end, STEP):
            yield from ((series.labels, at) for at, _ in series.points)
