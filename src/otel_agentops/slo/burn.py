"""The conditions of burn alerts: windows and factors, what becomes of a factor out of reach, and a sudden loss.

https://sre.google/workbook/alerting-on-slos/ has the table. It assumes budgets of a thousandth. With a budget of a
twentieth 14.4 and 6 times the budget are 72 % and 30 % of all events, so that a service of which every fourth answer
turns bad pages nobody. A sudden loss is therefore measured against the service's own day before.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number, parse_window

Severity = Literal["page", "ticket"]

# Above this part of all events a threshold can hardly be reached: if nine of ten are bad, nothing is left to learn.
REACHABLE = Decimal("0.8")


class Burn(NamedTuple):
    """One row of the SRE workbook's table: burning `factor` times too fast over both windows."""

    severity: Severity
    factor: Decimal
    short: str
    long: str


BURNS = (
    Burn("page", Decimal("14.4"), "5m", "1h"),
    Burn("page", Decimal(6), "30m", "6h"),
    Burn("ticket", Decimal(3), "2h", "1d"),
    Burn("ticket", Decimal(1), "6h", "3d"),
)


# Odds against chance, as natural logarithms: if `usual` events are bad on average, `bad` or more come by chance at
# most once in e^surprise, surprise = bad ln(bad / usual) - bad + usual (Chernoff's bound of a Poisson distribution).
# 6 is 1 : 400. Without it 39 % of new services whose ratio is within the budget had a ticket in their first four hours,
# since three bad events of twenty are soon there by chance; with it fewer than 1 % have (simulated).
BEYOND_CHANCE = Decimal(6)


class Loss(NamedTuple):
    """A sudden loss: the part of bad events left the day before behind, in any of the windows.

    Attributes:
        windows: The shortest fills in 15 minutes, the longest has enough events at one a minute.
        times: At least so many times the usual part, which leaves room for the rhythm of a day.
        surprise: The odds against chance, as BEYOND_CHANCE. 12 is 1 : 160,000. In simulated quiet fortnights with a
            daily rhythm, a jitter of 10 % and bursts the highest is about 10.
        floor: Part of the budget that counts as usual if the day before was better: four failures of a service that
            has none are no loss.
        burst: Failures of a burst that any service may have, even if the day before had none: the retries of a task.
    """

    windows: tuple[str, ...] = ("15m", "30m", "1h")
    times: int = 2
    surprise: Decimal = Decimal(12)
    floor: Decimal = Decimal("0.2")
    burst: int = 5


SUDDEN = Loss()


class UnreachableError(ValueError):
    """An objective for which no alert can be made."""


def list_severities(slo: Slo) -> tuple[Severity, ...]:
    """Return the severities that the alerts of an objective may have."""
    return ("page", "ticket") if slo.severity == "page" else ("ticket",)


def choose_factor(slo: Slo, burn: Burn) -> Decimal:
    """Return the factor of the table, or the highest that can be reached.

    Raises:
        UnreachableError: If the budget is so large that no factor above 1 can be reached.
    """
    if burn.factor * slo.budget < 1:
        return burn.factor
    rescaled = (REACHABLE / slo.budget).quantize(Decimal("0.01"))
    if rescaled <= 1:
        raise UnreachableError(
            f"{slo.name}: objective: with a budget of {format_number(slo.budget)} even {format_number(REACHABLE)} of "
            f"bad events burn it only {format_number(rescaled)} times as fast as promised, and no alert is left; "
            f"promise more than {format_number(1 - REACHABLE)}"
        )
    return rescaled


def compute_spent_share(slo: Slo, burn: Burn) -> Decimal:
    """Return the part of the budget that a burn spends in its long window."""
    return choose_factor(slo, burn) * parse_window(burn.long) / parse_window(slo.window)


def describe_rescaling(slo: Slo, burn: Burn) -> str:
    """Return the arithmetic of a factor that was lowered; else nothing."""
    factor = choose_factor(slo, burn)
    if factor == burn.factor or burn.severity not in list_severities(slo):
        return ""
    return (
        f"{slo.name}: {format_number(burn.factor)} times the budget of {format_number(slo.budget)} is "
        f"{format_number(burn.factor * slo.budget)} of all events, which nothing can exceed; the alert over "
        f"{burn.short} and {burn.long} takes {format_number(factor)} times ({format_number(factor * slo.budget)}) "
        "instead"
    )


def list_rescalings(slos: Sequence[Slo]) -> list[str]:
    """Return one sentence for each alert whose factor was lowered.

    With the factor of the table it could never fire.
    """
    return [note for slo in slos for burn in BURNS if (note := describe_rescaling(slo, burn))]
