"""A source for machines without Prometheus, which evaluates the samples of the collector's own endpoint in Python.

Its windows are seconds of the demo. A value of a variable is active while its counter grows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from demo.seen import (
    BURN,
    JOINED,
    MOVED,
    SLI,
    Alert,
    Budget,
    Exemplar,
    Look,
    Move,
    Promise,
    Seen,
    Value,
    join_spells,
)
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.variables import NOT_MOVED, VARIABLES
from stack import Sample

RECENT = 10  # seconds within which a value that was not there before counts as new
BEFORE = 5  # seconds before that, which say what was there
SHORT, LONG = 6, 18  # windows of the burn rate, both have to burn
FACTOR = 3  # times the budget
LEAST = 20  # events in the long window below which no alert fires

_EVENTS, _BAD = M.METRICS[M.SLI_EVENTS].prometheus, M.METRICS[M.SLI_BAD].prometheus
_TASKS = f"{M.METRICS[M.TASK_LLM_CALLS].prometheus}_count"


def spell_label(attribute: str) -> str:
    """Return an attribute as Prometheus spells it."""
    return attribute.replace(".", "_")


Series = tuple[str, frozenset[tuple[str, str]]]


class Scrape(NamedTuple):
    """The counters at one moment."""

    at: float
    values: Mapping[Series, float]


class Embedded:
    """A source that scrapes and remembers."""

    name = "the collector's own endpoint"

    def __init__(self, scrape: Callable[[], list[Sample]], promises: Sequence[Promise]) -> None:
        self._scrape = scrape
        self._promises = promises
        self._burning: dict[str, float] = {}  # promise → since when
        self._history: list[Scrape] = []
        self._looks: list[Look] = []
        self._exemplars: list[tuple[Mapping[str, str], Exemplar]] = []

    def take_look(self) -> Look:
        now, samples = time.time(), self._scrape()
        self._history.append(keep_counters(now, samples))
        self._exemplars += [
            (sample.labels, Exemplar(sample.exemplar["trace_id"], now)) for sample in samples if sample.exemplar
        ]
        seen = compare_scrapes(self._history, self._promises, self._burning)
        burning = [alert.get_label("slo") for alert in seen.alerts if alert.name == BURN]
        self._burning = {promise: self._burning.get(promise, now) for promise in burning}
        self._looks.append(seen)
        return seen

    def list_seen(self, start: float, end: float) -> Seen:
        looks = [one for one in self._looks if start <= one.at <= end]
        return Seen(
            join_spells((move, one.at) for one in looks for move in one.moves),
            join_spells((alert, one.at) for one in looks for alert in one.alerts),
        )

    def explain_burns(self, at: float) -> Sequence[str]:
        return ()  # the evidence is in Prometheus' rules

    def find_exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        return [one for on, one in self._exemplars if labels.items() <= on.items() and start <= one.at <= end]


def keep_counters(at: float, samples: Sequence[Sample]) -> Scrape:
    """Keep the samples of a scrape that later looks need."""
    wanted = {_EVENTS, _BAD, _TASKS, *(M.METRICS[metric].prometheus for metric, _, _ in VARIABLES.values())}
    return Scrape(at, {(one.name, frozenset(one.labels.items())): one.value for one in samples if one.name in wanted})


def compare_scrapes(history: Sequence[Scrape], promises: Sequence[Promise], burning: Mapping[str, float]) -> Look:
    """Compare the last scrape with those before; `burning` maps promise to start."""
    now = history[-1].at
    tasks = sum(measure_growth(history, now - SHORT, now, _TASKS).values()) / SHORT
    values = [
        Value(*where, value, seen / sum(there.values()))
        for where, there in count_values(history, now - SHORT, now).items()
        for value, seen in there.items()
    ]
    budgets = [_build_budget(history, promise) for promise in promises]
    moves = frozenset(_find_moves(history))
    alerts = frozenset(_find_alerts(history, moves, budgets, burning))
    return Look(now, tasks, budgets, sorted(values), moves, alerts)


def measure_growth(history: Sequence[Scrape], start: float, end: float, metric: str) -> dict[Series, float]:
    """Return the growth of each counter of a metric; a new one grew from 0."""
    first, last = _find_scrape(history, start), _find_scrape(history, end)
    growths = {
        series: value - first.values.get(series, 0) for series, value in last.values.items() if series[0] == metric
    }
    return {series: growth if growth >= 0 else last.values[series] for series, growth in growths.items()}


def _find_scrape(history: Sequence[Scrape], at: float) -> Scrape:
    """Return the last scrape up to that moment, else the first of all."""
    return next((scrape for scrape in reversed(history) if scrape.at <= at), history[0])


def count_values(history: Sequence[Scrape], start: float, end: float) -> dict[tuple[str, str], dict[str, float]]:
    """Return the count of each value by (variable, scope)."""
    counts: dict[tuple[str, str], dict[str, float]] = {}
    for variable, (metric, of, is_) in VARIABLES.items():
        for (_, pairs), growth in measure_growth(history, start, end, M.METRICS[metric].prometheus).items():
            if growth > 0:
                labels = dict(pairs)
                scope = "/".join(labels[spell_label(part)] for part in of) or "all"
                there = counts.setdefault((variable, scope), {})
                there[labels[spell_label(is_)]] = there.get(labels[spell_label(is_)], 0) + growth
    return counts


def _find_moves(history: Sequence[Scrape]) -> Iterator[Move]:
    """Yield the values that are new in a scope that had another one before."""
    now = history[-1].at
    if now - RECENT - BEFORE < history[0].at:
        return
    before = count_values(history, now - RECENT - BEFORE, now - RECENT)
    for where, there in count_values(history, now - RECENT, now).items():
        was = before.get(where, {}) if where[0] not in NOT_MOVED.split("|") else {}
        for value in there.keys() - was.keys():
            if was:
                yield Move(*where, value, max(was, key=lambda other: was[other]))


def _build_budget(history: Sequence[Scrape], promise: Promise) -> Budget:
    errors, overall = _measure_errors(history, promise.sli, SHORT), _measure_errors(history, promise.sli, math.inf)
    allowed = 1 - promise.objective
    return Budget(
        promise,
        errors,
        None if errors is None else errors / allowed,
        None if overall is None else 1 - overall / allowed,
    )


def _measure_errors(history: Sequence[Scrape], sli: str, seconds: float, least: float = 1) -> float | None:
    """Return the share of bad events, None if there were too few events."""
    now = history[-1].at
    of = [measure_growth(history, now - seconds, now, metric) for metric in (_EVENTS, _BAD)]
    events, bad = (sum(growth for (_, pairs), growth in one.items() if (SLI, sli) in pairs) for one in of)
    return bad / events if events >= least else None


def _find_alerts(
    history: Sequence[Scrape], moves: frozenset[Move], budgets: Sequence[Budget], burning: Mapping[str, float]
) -> Iterator[Alert]:
    now = history[-1].at
    for move in moves:
        yield Alert.from_labels({"alertname": MOVED, **move._asdict()})
    for budget in budgets:
        if not (_is_burning(history, budget, SHORT, 1) and _is_burning(history, budget, LONG, LEAST)):
            continue
        about = {"slo": budget.promise.name, SLI: budget.promise.sli, "severity": "page"}
        yield Alert.from_labels({"alertname": BURN, **about})
        since = burning.get(budget.promise.name, now)
        for move in moves:
            if _find_start(history, move) <= since:  # a burn that was there before has another cause
                yield Alert.from_labels({"alertname": JOINED, **about, **move._asdict()})


def _is_burning(history: Sequence[Scrape], budget: Budget, seconds: float, least: float) -> bool:
    """Return True if enough events of the last `seconds` were bad."""
    errors = _measure_errors(history, budget.promise.sli, seconds, least)
    return errors is not None and errors > FACTOR * (1 - budget.promise.objective)


def _find_start(history: Sequence[Scrape], move: Move) -> float:
    """Return the time at which the new value was first seen."""
    now, first = history[-1].at, history[-1].at
    for earlier, later in zip(history[-2::-1], reversed(history), strict=False):
        if earlier.at < now - RECENT:
            break
        if move.value in count_values([earlier, later], earlier.at, later.at).get((move.variable, move.scope), {}):
            first = later.at
    return first
