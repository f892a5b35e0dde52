"""What runs: how often each value of each variable was seen, in which scope of which service."""

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
    """Where the collector reads a variable; the overlay counts the same. operations: () for any."""

    scope: tuple[str, ...]
    value: str
    operations: tuple[str, ...] = ()
    on_span: bool = True


_OPERATIONS = {"model": MODEL_CALLS, "tool": ("execute_tool",), "index": ("retrieval",)}
WATCHED: Mapping[str, Variable] = {
    name: Variable(COUNTED[name][1], COUNTED[name][2], _OPERATIONS.get(name, ()), on_span=name != "judge")
    for name in VARIABLES
}
SERVICE, OPERATION = A.SERVICE_NAME, A.GEN_AI_OPERATION_NAME


class Seen(NamedTuple):
    """A value that was live. value: None where the provider did not say which model answered."""

    service: str
    variable: str
    scope: str
    value: str | None


@dataclass(frozen=True)
class Live:
    """Everything that was seen. where: the source and the time, as a person would say it."""

    counts: Mapping[Seen, float]
    where: str

    @property
    def known(self) -> Sequence[Seen]:
        """What has a value, in the order of the lock file."""
        known = [seen for seen in self.counts if seen.value is not None]
        return sorted(known, key=lambda seen: (VARIABLES.index(seen.variable), *seen[:1], *seen[2:]))
