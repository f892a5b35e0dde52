"""Live values: how often each value of each variable was seen, in which scope of which service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otel_agentops.lock.model import VARIABLES
from otel_agentops.semconv import attributes as A
from otel_agentops.slo.variables import VARIABLES as COUNTED

UNKNOWN = "unknown"
MODEL_CALLS = ("chat", "embeddings", "generate_content", "text_completion")


@dataclass(frozen=True)
class Variable:
    """The attributes in which the collector reads a variable; the overlay counts the same.

    Attributes:
        scope: Attributes that make the scope.
        value: Attribute that holds the value.
        operations: Operations that have it; empty for any.
        is_on_span: False if it is read from evaluation events.
    """

    scope: tuple[str, ...]
    value: str
    operations: tuple[str, ...] = ()
    is_on_span: bool = True


_OPERATIONS = {"model": MODEL_CALLS, "tool": ("execute_tool",), "index": ("retrieval",)}
WATCHED: Mapping[str, Variable] = {
    name: Variable(COUNTED[name][1], COUNTED[name][2], _OPERATIONS.get(name, ()), is_on_span=name != "judge")
    for name in VARIABLES
}
SERVICE, OPERATION = A.SERVICE_NAME, A.GEN_AI_OPERATION_NAME


class LiveValue(NamedTuple):
    """A value that was live; None if the provider did not say which model answered."""

    service: str
    variable: str
    scope: str
    value: str | None


@dataclass(frozen=True)
class Live:
    """Everything that was seen; `source` is where and when, as a person would say it."""

    counts: Mapping[LiveValue, float]
    source: str

    @property
    def values(self) -> Sequence[LiveValue]:
        """Return what has a value, in the order of the lock file."""
        values = [each for each in self.counts if each.value is not None]
        return sorted(values, key=lambda each: (VARIABLES.index(each.variable), *each[:1], *each[2:]))
