"""Burn alerts: a budget that is spent too fast, over a short and a long window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from otel_agentops.slo._promql import Clock, number, rule
from otel_agentops.slo.prometheus.objective import (
    SERVICE_TEXT,
    SLI,
    alert,
    burn_of,
    kind,
    policy_step,
    promise,
    selector,
)
from otel_agentops.slo.prometheus.trust import both_if_known, claims_too_much
from otel_agentops.slo.prometheus.truth import comparable
from otel_agentops.slo.spec import Slo

# Above this part of all events a threshold can hardly be reached: where nine of ten are bad nothing is left to learn.
REACHABLE = Decimal("0.8")


class Burn(NamedTuple):
    """One row of the SRE workbook's table: burning `factor` times too fast over both windows."""

    severity: Literal["page", "ticket"]
    factor: Decimal
    short: str
    long: str


BURNS = (
    Burn("page", Decimal("14.4"), "5m", "1h"),
    Burn("page", Decimal(6), "30m", "6h"),
    Burn("ticket", Decimal(3), "2h", "1d"),
    Burn("ticket", Decimal(1), "6h", "3d"),
)


class UnreachableError(ValueError):
    """An objective for which no alert can be made."""


def burning_rules(slos: Sequence[Slo], clock: Clock) -> Iterator[dict[str, Any]]:
    """What burns, since when, and the alerts."""
    for slo in slos:
        yield from _burn_rules(slo, clock)
    if slos:
        yield _since()
    for slo in slos:
        yield from (_burn_alert(slo, severity) for severity in severities(slo))


def _burn_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """The page of a proxy that claims too much is a ticket."""
    burns = {each: [_burning(slo, burn) for burn in BURNS if burn.severity == each] for each in severities(slo)}
    if len(burns) == 2 and comparable(slo):
        distrust = f"on ({', '.join(SLI)}) ({claims_too_much(slo, clock)})"
        page = _either(burns["page"])
        burns = {
            "page": [f"(\n{page}\n) unless {distrust}"],
            "ticket": [*burns["ticket"], f"(\n{page}\n) and {distrust}"],
        }
    for severity, each in burns.items():
        yield rule("otel_agentops:slo_burn:ratio", _either(each), slo=slo.name, severity=severity)


def _either(burns: Sequence[str]) -> str:
    return "\nor\n".join(burns)


def severities(slo: Slo) -> tuple[str, ...]:
    """Those that the alerts of an objective may have."""
    return ("page", "ticket") if slo.severity == "page" else ("ticket",)


def _burning(slo: Slo, burn: Burn) -> str:
    of, threshold = selector(slo), number(burn_factor(slo, burn) * slo.budget)
    return f"""\
(
  otel_agentops:sli_error:ratio{burn.short}{of} > {threshold}
  and otel_agentops:sli_error:ratio{burn.long}{of} > {threshold}
  and otel_agentops:sli_events:increase{burn.long}{of} >= {slo.minimum.events}
  and otel_agentops:sli_bad:increase{burn.long}{of} >= {slo.minimum.failures}
)"""


def burn_factor(slo: Slo, burn: Burn) -> Decimal:
    """The factor of the table, or the highest that can be reached."""
    if burn.factor * slo.budget < 1:
        return burn.factor
    rescaled = (REACHABLE / slo.budget).quantize(Decimal("0.01"))
    if rescaled <= 1:
        raise UnreachableError(
            f"{slo.name}: objective: with a budget of {number(slo.budget)} even {number(REACHABLE)} of bad events burn "
            f"it only {number(rescaled)} times as fast as promised, and no alert is left; promise more than "
            f"{number(1 - REACHABLE)}"
        )
    return rescaled


def note(slo: Slo, burn: Burn) -> str:
    """The arithmetic of a factor that had to be lowered; else nothing."""
    factor = burn_factor(slo, burn)
    if factor == burn.factor or burn.severity not in severities(slo):
        return ""
    return (
        f"{slo.name}: {number(burn.factor)} times the budget of {number(slo.budget)} is "
        f"{number(burn.factor * slo.budget)} of all events, which nothing can exceed; the alert over {burn.short} and "
        f"{burn.long} takes {number(factor)} times ({number(factor * slo.budget)}) instead"
    )


def _since() -> dict[str, Any]:
    burn, since = "otel_agentops:slo_burn:ratio", "otel_agentops:slo_burn:since"
    return rule(since, f"{since} and {burn}\nor\n{burn} * 0 + time()")


def _burn_alert(slo: Slo, severity: str) -> dict[str, Any]:
    truth = {"truth": both_if_known(slo)} if slo.indicator.type == "proxy" else {}
    now = "Right now {{ $value | humanizePercentage }} are bad."
    texts = {
        "summary": f"{SERVICE_TEXT} burns the error budget of {slo.name} ({kind(slo)})",
        "description": " ".join([promise(slo), now, *_notes_of(slo, severity)]),
        **truth,
        **policy_step(slo),
    }
    expr = f"otel_agentops:slo_burn:ratio{burn_of(slo, severity)}"
    return alert("OtelAgentopsErrorBudgetBurn", expr, slo, severity, texts)


def _notes_of(slo: Slo, severity: str) -> Iterator[str]:
    return (f"{text}." for burn in BURNS if burn.severity == severity and (text := note(slo, burn)))
