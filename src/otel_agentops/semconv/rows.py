"""What the generated tables are made of."""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """type: as in the convention, e.g. `string[]` or `template[int]`. values: None where any is allowed.

    label: whether it may be a metric label: `yes`, `opt_in`, `no` or `never`.
    """

    type: str
    values: tuple[str, ...] | None
    label: str


class Metric(NamedTuple):
    """prometheus: the name under UnderscoreEscapingWithSuffixes.

    labels: the attributes of its points besides those of the resource; empty for an upstream metric, which has its own.
    """

    name: str
    instrument: str
    unit: str
    brief: str
    prometheus: str
    labels: tuple[str, ...]
