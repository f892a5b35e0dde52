"""A Prometheus at one time, and what the labels of our series say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otel_agentops.prometheus_api import Labels, PrometheusClient, Sample
from otel_agentops.slo._promql import Clock, quote_string
from otel_agentops.triage.facts import Move

MEMORY, HOUR = "14d", "1h"
Key = tuple[str, str, str]  # variable, scope, value


class Queries:
    """Queries about one time.

    Attributes:
        client: The Prometheus.
        at_s: That time.
        clock: The intervals of its rules.
    """

    def __init__(self, client: PrometheusClient, at_s: float, clock: Clock) -> None:
        self.client = client
        self.at_s = at_s
        self.clock = clock

    def query_now(self, expression: str) -> list[Sample]:
        """Return the series of a query at this time."""
        return self.client.query_instant(expression, self.at_s)


def select_labels(labels: Mapping[str, str], *more: str) -> str:
    """Return the selector of series with these labels; an empty value selects series without the label."""
    return "{" + ", ".join([*(f"{label}={quote_string(value)}" for label, value in labels.items()), *more]) + "}"


def make_move(labels: Labels, time_s: float) -> Move:
    """Return the move that a sample reports; its previous value is None if the rules do not know it."""
    previous = labels.get("previous")
    return Move(*identify_value(labels), previous if previous != "unknown" else None, time_s)


def read_values(samples: Iterable[Sample]) -> dict[Key, float]:
    """Return the figure of each value of a variable."""
    return {identify_value(labels): value for labels, value in samples}


def identify_value(labels: Labels) -> Key:
    """Return the value that the labels of a series name."""
    return labels.get("variable", ""), labels.get("scope", ""), labels.get("value", "")
