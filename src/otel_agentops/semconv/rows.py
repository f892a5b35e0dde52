"""The rows of the generated tables."""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """A registered attribute.

    Attributes:
        type: As in the convention, e.g. `string[]` or `template[int]`.
        values: None if any value is allowed.
        label: `yes`, `opt_in`, `no` or `never`, for use as a metric label.
    """

    type: str
    values: tuple[str, ...] | None
    label: str


class Metric(NamedTuple):
    """A registered metric.

    Attributes:
        prometheus: The name under UnderscoreEscapingWithSuffixes.
        labels: The attributes of its points besides those of the resource; empty for an upstream metric.
    """

    name: str
    instrument: str
    unit: str
    brief: str
    prometheus: str
    labels: tuple[str, ...]
