"""A source that reads recorded series and firing alerts from the HTTP API of Prometheus."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import stack
from demo.promises import TIME_SCALE
from demo.seen import SLI, Alert, Budget, Exemplar, Look, Promise, Seen, Value, join_spells, read_move
from demo.world import SERVICE
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.triage.read import Question, read_snapshot
from otel_agentops.triage.report import build_report
from otel_agentops.triage.screen import render_text

STEP = 1  # seconds between the queried evaluations
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

    def take_look(self) -> Look:
        now = time.time()
        moves = (read_move(labels) for labels, _ in self._query_finite(S.VARIABLE_MOVED, now))
        return Look(
            now,
            next((value for _, value in self._query_finite(_TASKS, now)), None),
            list(self._read_budgets(now)),
            sorted(self._read_values(now)),
            frozenset(move for move in moves if move),
            frozenset(Alert.from_labels(labels) for labels, _ in self._query_finite(_FIRING, now)),
        )

    def list_seen(self, start: float, end: float) -> Seen:
        moves = ((read_move(labels), at) for labels, at in self._query_range(S.VARIABLE_MOVED, start, end))
        return Seen(
            join_spells((move, at) for move, at in moves if move),
            join_spells((Alert.from_labels(labels), at) for labels, at in self._query_range(_FIRING, start, end)),
        )

    def find_exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
        exemplars = self._prometheus.client.query_exemplars(f"{_DURATIONS}{{{matchers}}}", start, end)
        return [Exemplar(one.labels["trace_id"], one.time_s) for one in exemplars]

    def explain_burns(self, at: float) -> Sequence[str]:
        question = Question(at, service=SERVICE, time_scale=TIME_SCALE)
        report = build_report(read_snapshot(self._prometheus.client, question))
        # The worst one: all promises of a service burn for one reason in most cases, and the page has to stay short.
        return render_text(replace(report, findings=report.findings[:1], calm=())).splitlines()

    def read_annotations(self, alert: Alert) -> Mapping[str, str]:
        """Return the texts of an alert that fires, as whoever is paged gets them."""
        alerts = self._prometheus.client.list_alerts()
        return next((one.annotations for one in alerts if Alert.from_labels(one.labels) == alert), {})

    def _read_budgets(self, at: float) -> Iterator[Budget]:
        """Yield the worst budget of each promise; each judge revision has its own."""
        errors, remaining = (
            self._find_worst(SLI, _ERRORS, at, max),
            self._find_worst("slo", S.SLO_BUDGET_REMAINING, at, min),
        )
        for promise in self._promises:
            now = errors.get(promise.sli)
            burn = None if now is None else now / (1 - promise.objective)
            yield Budget(promise, now, burn, remaining.get(promise.name))

    def _query_finite(self, expression: str, at: float) -> list[tuple[Series, float]]:
        """Query at the moment of a look, so that no alert is seen before its move."""
        return [(labels, value) for labels, value in self._prometheus.query(expression, at) if math.isfinite(value)]

    def _find_worst(
        self, label: str, expression: str, at: float, worst: Callable[[float, float], float]
    ) -> dict[str, float]:
        worst_of: dict[str, float] = {}
        for labels, value in self._query_finite(expression, at):
            worst_of[labels[label]] = worst(value, worst_of.get(labels[label], value))
        return worst_of

    def _read_values(self, at: float) -> Iterator[Value]:
        active = self._query_finite(S.VARIABLE_ACTIVE, at)
        whole: dict[tuple[str, str], float] = defaultdict(float)
        for labels, value in active:
            whole[labels["variable"], labels["scope"]] += value
        for labels, value in active:
            where = labels["variable"], labels["scope"]
            yield Value(*where, labels["value"], value / whole[where])

    def _query_range(self, expression: str, start: float, end: float) -> Iterator[tuple[Series, float]]:
        """Yield each series at each moment at which it had a value."""
        for series in self._prometheus.client.query_range(expression, start, end, STEP):
            yield from ((series.labels, at) for at, _ in series.points)
