"""A small evaluator of PromQL that knows when a sample can be read, which promtool does not."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]


@dataclass(frozen=True)
class Sample:
    """A value with the time of its scrape and the time from which a query sees it."""

    at: float
    readable: float
    value: float


Store = Mapping[tuple[str, Labels], Sequence[Sample]]

FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "last_over_time": lambda values: values[-1],
    "min_over_time": min,
    "max_over_time": max,
    "sum_over_time": sum,
    "count_over_time": len,
    "resets": lambda values: sum(after < before for before, after in itertools.pairwise(values)),
}
LOOKBACK = 300  # seconds, of a selector without a range
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
COMPARISONS = {"==": operator.eq, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def evaluate_at(expr: str, store: Store, at: float, now: float | None = None) -> Vector:
    """Return the value of an expression at a time, as a query that runs at `now` sees it."""
    return _evaluate(promql_parser.parse(expr), store, at, at if now is None else now)


def _evaluate(node: Any, store: Store, at: float, now: float) -> Any:
    if isinstance(node, promql_parser.ParenExpr):
        return _evaluate(node.expr, store, at, now)
    if isinstance(node, promql_parser.NumberLiteral):
        return node.val
    if isinstance(node, promql_parser.VectorSelector):
        return _read_range(node, LOOKBACK, "last_over_time", store, at, now)
    if isinstance(node, promql_parser.AggregateExpr):
        assert str(node.op) == "sum"
        sums: Vector = {}
        for labels, value in _evaluate(node.expr, store, at, now).items():
            key = _keep(labels, node.modifier.labels if node.modifier else [])
            sums[key] = sums.get(key, 0) + value
        return sums
    if isinstance(node, promql_parser.Call):
        if node.func.name == "clamp_min":
            vector, least = (_evaluate(each, store, at, now) for each in node.args)
            return {labels: max(value, least) for labels, value in vector.items()}
        (matrix,) = node.args
        return _read_range(matrix.vector_selector, matrix.range.total_seconds(), node.func.name, store, at, now)
    assert isinstance(node, promql_parser.BinaryExpr), node
    return _combine(node, _evaluate(node.lhs, store, at, now), _evaluate(node.rhs, store, at, now))


def _read_range(selector: Any, length: float, function: str, store: Store, at: float, now: float) -> Vector:
    """Apply a function to the samples of a range, of which the start is not a part (as in Prometheus 3)."""
    end = at - (selector.offset.total_seconds() if selector.offset else 0)
    answer: Vector = {}
    for (name, labels), samples in store.items():
        if name != selector.name or any((each.name, each.value) not in labels for each in selector.matchers.matchers):
            continue
        if values := [one.value for one in samples if end - length < one.at <= end and one.readable <= now]:
            answer[labels] = FUNCTIONS[function](values)
    return answer


def _combine(node: Any, left: Any, right: Any) -> Any:
    operation = str(node.op)
    if isinstance(left, float) and isinstance(right, float):
        return ARITHMETIC[operation](left, right)
    matching = node.modifier.matching if node.modifier else None
    joined = list(matching.labels) if matching else None
    if operation in ("and", "or", "unless"):
        keys = {_keep(labels, joined) for labels in right}
        kept = {
            labels: value for labels, value in left.items() if (_keep(labels, joined) in keys) == (operation == "and")
        }
        if operation != "or":
            return kept
        own = {_keep(labels, joined) for labels in left}
        return left | {labels: value for labels, value in right.items() if _keep(labels, joined) not in own}
    pairs = _pair(left, right, joined)
    if operation in COMPARISONS:
        compared = [(labels, a, COMPARISONS[operation](a, b)) for labels, a, b in pairs]
        if node.modifier and node.modifier.return_bool:
            return {labels: float(is_so) for labels, _, is_so in compared}
        return {labels: a for labels, a, is_so in compared if is_so}
    return {labels: ARITHMETIC[operation](a, b) for labels, a, b in pairs}


def _pair(left: Any, right: Any, joined: Sequence[str] | None) -> list[tuple[Labels, float, float]]:
    if isinstance(right, float):
        return [(labels, value, right) for labels, value in left.items()]
    if isinstance(left, float):
        return [(labels, left, value) for labels, value in right.items()]
    others = {_keep(labels, joined): value for labels, value in right.items()}
    return [
        (labels, value, others[_keep(labels, joined)])
        for labels, value in left.items()
        if _keep(labels, joined) in others
    ]


def _keep(labels: Labels, names: Sequence[str] | None) -> Labels:
    return labels if names is None else frozenset(pair for pair in labels if pair[0] in names)
