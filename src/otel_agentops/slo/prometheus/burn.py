"""Burn alerts: a budget that is spent too fast, over a short and a long window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, rule
from otel_agentops.slo.burn import BURNS, Burn, choose_factor, describe_rescaling, list_severities
from otel_agentops.slo.ground_truth import has_comparable_proxy
from otel_agentops.slo.prometheus.objective import SERVICE_TEXT, alert, burn_of, policy_step, selector
from otel_agentops.slo.prometheus.trust import both_if_known, claims_too_much
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import format_number
from otel_agentops.slo.wording import describe_indicator, describe_promise


def burning_rules(slos: Sequence[Slo], clock: Clock) -> Iterator[dict[str, Any]]:
    """What burns, since when, and the alerts."""
    for slo in slos:
        yield from _burn_rules(slo, clock)
    if slos:
        yield _since()
    for slo in slos:
        yield from (_burn_alert(slo, severity) for severity in list_severities(slo))


def _burn_rules(slo: Slo, clock: Clock) -> Iterator[dict[str, Any]]:
    """The page of a proxy that claims too much is a ticket."""
    burns = {each: [_burning(slo, burn) for burn in BURNS if burn.severity == each] for each in list_severities(slo)}
    if len(burns) == 2 and has_comparable_proxy(slo):
        distrust = f"on ({', '.join(SLI)}) ({claims_too_much(slo, clock)})"
        page = _either(burns["page"])
        burns = {
            "page": [f"(\n{page}\n) unless {distrust}"],
            "ticket": [*burns["ticket"], f"(\n{page}\n) and {distrust}"],
        }
    for severity, each in burns.items():
        yield rule(S.SLO_BURN_RATIO, _either(each), slo=slo.name, severity=severity)


def _either(burns: Sequence[str]) -> str:
    return "\nor\n".join(burns)


def _burning(slo: Slo, burn: Burn) -> str:
    of, threshold = selector(slo), format_number(choose_factor(slo, burn) * slo.budget)
    return f"""\
(
  {S.name_window(S.SLI_ERROR_RATIO, burn.short)}{of} > {threshold}
  and {S.name_window(S.SLI_ERROR_RATIO, burn.long)}{of} > {threshold}
  and {S.name_window(S.SLI_EVENTS_INCREASE, burn.long)}{of} >= {slo.minimum.events}
  and {S.name_window(S.SLI_BAD_INCREASE, burn.long)}{of} >= {slo.minimum.failures}
)"""


def _since() -> dict[str, Any]:
    burn, since = S.SLO_BURN_RATIO, S.SLO_BURN_SINCE
    return rule(since, f"{since} and {burn}\nor\n{burn} * 0 + time()")


def _burn_alert(slo: Slo, severity: str) -> dict[str, Any]:
    truth = {"truth": both_if_known(slo)} if slo.indicator.type == "proxy" else {}
    now = "Right now {{ $value | humanizePercentage }} are bad."
    texts = {
        "summary": f"{SERVICE_TEXT} burns the error budget of {slo.name} ({describe_indicator(slo)})",
        "description": " ".join([describe_promise(slo), now, *_notes_of(slo, severity)]),
        **truth,
        **policy_step(slo),
    }
    expr = f"{S.SLO_BURN_RATIO}{burn_of(slo, severity)}"
    return alert("OtelAgentopsErrorBudgetBurn", expr, slo, severity, texts)


def _notes_of(slo: Slo, severity: str) -> Iterator[str]:
    return (f"{text}." for burn in BURNS if burn.severity == severity and (text := describe_rescaling(slo, burn)))
