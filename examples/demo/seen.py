"""Observations of a running service: budgets, values of the variables, moves and alerts, now and over time.

Two sources tell it, Prometheus (watch.py) and where there is none the collector's own endpoint (embedded.py).
Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from otel_agentops.semconv import attributes as A

BURN = "OtelAgentopsErrorBudgetBurn"
MOVED = "OtelAgentopsVariableMoved"
JOINED = "OtelAgentopsBurnAfterMove"

FLICKER = 5  # seconds for which a series may be away and is still the same one: a late scrape, a slow evaluation

SLI = A.SLI_NAME.replace(".", "_")  # the label that says which indicator an alert is about

K = TypeVar("K", bound=Hashable)


class Move(NamedTuple):
    """A variable that has another value than before. scope: which model alias, prompt, tool … it is."""

    variable: str
    scope: str
    value: str
    previous: str

    def __str__(self) -> str:
        return f"{self.variable} {self.scope}: {self.previous} → {self.value}"


class Value(NamedTuple):
    """A value of a variable in one of its scopes, and its share in the operations of the scope."""

    variable: str
    scope: str
    value: str
    share: float


class Promise(NamedTuple):
    """A service level objective. objective: the share of the events of an indicator that should be good."""

    name: str
    sli: str
    objective: float


class Budget(NamedTuple):
    """How a promise is kept. errors: the share of bad events just now. burn: how many times too fast. None: unknown."""

    promise: Promise
    errors: float | None
    burn: float | None
    remaining: float | None


class Alert(NamedTuple):
    """A firing alert with the labels that say what it is about."""

    name: str
    labels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Alert:
        """The alert of a series' labels."""
        told = {key: value for key, value in labels.items() if key not in _UNTOLD}
        return cls(labels["alertname"], tuple(sorted(told.items())))

    def get(self, label: str) -> str:
        return dict(self.labels).get(label, "")

    @property
    def move(self) -> Move | None:
        """The variable that it blames or names."""
        return move_of(dict(self.labels))


_UNTOLD = ("__name__", "alertname", "alertstate", "deployment_environment_name", "service_name")


def move_of(labels: Mapping[str, str]) -> Move | None:
    """The move that labels tell of; None where they tell of none."""
    if "variable" not in labels:
        return None
    return Move(*(labels.get(field, "") for field in Move._fields))


class Look(NamedTuple):
    """One look at everything. tasks: finished a second."""

    at: float
    tasks: float | None
    budgets: Sequence[Budget]
    values: Sequence[Value]
    moves: frozenset[Move]
    alerts: frozenset[Alert]


NOTHING = Look(0, None, (), (), frozenset(), frozenset())


class Spell(NamedTuple):
    """When something was there: first and last time it was seen."""

    start: float
    end: float


class Seen(NamedTuple):
    """Everything that was named or fired from the beginning on, each as often as it came."""

    moves: Sequence[tuple[Move, Spell]]
    alerts: Sequence[tuple[Alert, Spell]]


class Exemplar(NamedTuple):
    """The trace that a measurement points at."""

    trace_id: str
    at: float


class Source(Protocol):
    """Who tells what is seen. name: for the reader."""

    name: str

    def look(self) -> Look:
        """Everything as it is now."""

    def seen(self, start: float, end: float) -> Seen:
        """Everything from start to end."""

    def exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        """Traces of the operations with these labels, from start to end."""


def spells(seen: Iterable[tuple[K, float]]) -> list[tuple[K, Spell]]:
    """When each thing was there, from the times at which it was seen; oldest first."""
    found: dict[K, list[Spell]] = {}
    for thing, at in sorted(seen, key=lambda pair: pair[1]):
        known = found.setdefault(thing, [])
        if known and at - known[-1].end <= FLICKER:
            known[-1] = Spell(known[-1].start, at)
        else:
            known.append(Spell(at, at))
    return sorted(((thing, spell) for thing, them in found.items() for spell in them), key=lambda pair: pair[1])
