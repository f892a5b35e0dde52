"""Observations of a running service: budgets, values of the variables, moves and alerts, now and over time.

They come from Prometheus (watch.py) or, without one, from the collector's own endpoint (embedded.py).
Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from otel_agentops.semconv import attributes as A

BURN = "OtelAgentopsErrorBudgetBurn"
MOVED = "OtelAgentopsVariableMoved"
JOINED = "OtelAgentopsBurnAfterMove"

FLICKER = 5  # seconds for which a series may be missing, say by a late scrape, and is still the same one

SLI = A.SLI_NAME.replace(".", "_")  # the label that says which indicator an alert is about

K = TypeVar("K", bound=Hashable)


class Move(NamedTuple):
    """A variable that has another value than before; `scope` is the model alias, prompt or tool."""

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
    """A service level objective; `objective` is the share of events that should be good."""

    name: str
    sli: str
    objective: float


class Budget(NamedTuple):
    """The state of a promise: share of bad events, burn rate and remaining budget; None is unknown."""

    promise: Promise
    errors: float | None
    burn: float | None
    remaining: float | None


class Alert(NamedTuple):
    """A firing alert with the labels that say what it is about."""

    name: str
    labels: tuple[tuple[str, str], ...]

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Alert:
        """Build an alert from the labels of its series."""
        shown = {key: value for key, value in labels.items() if key not in _HIDDEN}
        return cls(labels["alertname"], tuple(sorted(shown.items())))

    def get_label(self, label: str) -> str:
        return dict(self.labels).get(label, "")

    @property
    def move(self) -> Move | None:
        """The move that the alert names."""
        return read_move(dict(self.labels))


# `explains` changes to yes as soon as there is evidence: the alert is the one that has fired all the time.
_HIDDEN = ("__name__", "alertname", "alertstate", "deployment_environment_name", "explains", "service_name")


def read_move(labels: Mapping[str, str]) -> Move | None:
    """Read a move from labels; None if they hold none."""
    if "variable" not in labels:
        return None
    return Move(*(labels.get(field, "") for field in Move._fields))


class Look(NamedTuple):
    """One look at everything; `tasks` is the number finished per second."""

    at: float
    tasks: float | None
    budgets: Sequence[Budget]
    values: Sequence[Value]
    moves: frozenset[Move]
    alerts: frozenset[Alert]


NOTHING = Look(0, None, (), (), frozenset(), frozenset())


class Spell(NamedTuple):
    """The first and the last time at which something was seen."""

    start: float
    end: float


class Seen(NamedTuple):
    """Everything that was named or fired in a span of time, once for each spell."""

    moves: Sequence[tuple[Move, Spell]]
    alerts: Sequence[tuple[Alert, Spell]]


class Exemplar(NamedTuple):
    """The trace that a measurement points at."""

    trace_id: str
    at: float


class Source(Protocol):
    """A place to ask; `name` is for the reader."""

    name: str

    def take_look(self) -> Look:
        """Return everything as it is now."""

    def list_seen(self, start: float, end: float) -> Seen:
        """Return the moves and alerts from start to end."""

    def find_exemplars(self, labels: Mapping[str, str], start: float, end: float) -> Sequence[Exemplar]:
        """Return traces of operations with these labels, from start to end."""

    def explain_burns(self, at: float) -> Sequence[str]:
        """Return the lines of `otel-agentops triage` at a time, none if nothing burns or nobody can tell."""


def join_spells(seen: Iterable[tuple[K, float]]) -> list[tuple[K, Spell]]:
    """Join the times at which things were seen to spells, oldest first."""
    spells: dict[K, list[Spell]] = {}
    for thing, at in sorted(seen, key=lambda pair: pair[1]):
        of_thing = spells.setdefault(thing, [])
        if of_thing and at - of_thing[-1].end <= FLICKER:
            of_thing[-1] = Spell(of_thing[-1].start, at)
        else:
            of_thing.append(Spell(at, at))
    return sorted(((thing, spell) for thing, them in spells.items() for spell in them), key=lambda pair: pair[1])
