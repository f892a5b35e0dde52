"""The proxies that a label of a task can be compared with, and the number of labels that this takes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING

from otel_agentops.slo import _ottl
from otel_agentops.slo.indicators import Indicator
from otel_agentops.slo.spec import Slo

# The minimum is that of a row, not of a cell: whether a number is shown must not depend on what the labels say. Below
# ten labels a 95 % interval is wider than half of all that a share can be.
MINIMUM_LABELS = 10


def is_on_outcome_events(indicator: Indicator) -> bool:
    """Return True if an outcome event may carry what the indicator reads.

    The event carries a copy of its task's attributes, and a bare `attributes[...]` means the same there.
    """
    conditions = (indicator.eligible, indicator.bad)
    return indicator.on in ("task", "evaluation", "outcome") and all(_ottl.parse(each).is_bare for each in conditions)


def has_comparable_proxy(slo: Slo) -> bool:
    """Return True if a label can say whether the indicator is right.

    It is a proxy that judges what an outcome event carries.
    """
    return slo.indicator.type == "proxy" and is_on_outcome_events(slo.indicator)


def list_incomparable(slos: Sequence[Slo]) -> list[str]:
    """Return one sentence for each proxy that no label can ever be held against."""
    return [
        f"{slo.name}: {slo.indicator.name} is a proxy that reads more than an outcome event carries: no label can be "
        "held against it, and its budget is never corrected"
        for slo in slos
        if slo.indicator.type == "proxy" and not is_on_outcome_events(slo.indicator)
    ]


def count_needed_labels(slo: Slo, proxy_verdict: str) -> int:
    """Return how many random labels a verdict of the proxy needs.

    The proxy calls nearly all events good. With fewer than 1/budget labels of those, a single label would spend or
    save the whole budget.
    """
    one_budget = int((1 / slo.budget).to_integral_value(ROUND_CEILING))
    return max(MINIMUM_LABELS, one_budget) if proxy_verdict == "good" else MINIMUM_LABELS
