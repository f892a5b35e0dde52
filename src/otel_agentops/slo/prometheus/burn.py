"""Burn alerts: a budget that is spent too fast, over a short and a long window, or a sudden loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, make_rule
from otel_agentops.slo.burn import (
    BEYOND_CHANCE,
    BURNS,
    SUDDEN,
    Burn,
    choose_factor,
    describe_rescaling,
    list_severities,
)
from otel_agentops.slo.evidence.burns import build_burn_verdict_rules
from otel_agentops.slo.ground_truth import has_comparable_proxy
from otel_agentops.slo.prometheus._verdict import describe_causes
from otel_agentops.slo.prometheus.objective import (
    OF_INDICATOR,
    SERVICE_TEXT,
    build_alert,
    describe_policy,
    escape_template,
    select_burn,
    select_indicator,
)
from otel_agentops.slo.prometheus.trust import compare_with_truth, express_distrust
from otel_agentops.slo.series import SLI
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.units import describe_window, format_number, parse_window
from otel_agentops.slo.wording import describe_indicator, describe_promise


def build_burn_rules(slos: Sequence[Slo], clock: Clock) -> Iterator[Rule]:
    """Yield what burns, since when, and the alerts."""
    for slo in slos:
        yield from _build_ratio_rules(slo, clock)
    if slos:
        burn, since = S.SLO_BURN_RATIO, S.SLO_BURN_SINCE
        yield make_rule(since, f"{since} and {burn}\nor\n{burn} * 0 + time()")
        yield from build_burn_verdict_rules(clock)
    for slo in slos:
        yield from (_build_burn_alert(slo, severity) for severity in list_severities(slo))


def _build_ratio_rules(slo: Slo, clock: Clock) -> Iterator[Rule]:
    """Yield the burning ratios by severity.

    The page of a proxy that claims too much is a ticket.
    """
    burns = {
        each: [_express_burn(slo, burn) for burn in BURNS if burn.severity == each] for each in list_severities(slo)
    }
    losses = [_express_loss(slo, window, clock) for window in SUDDEN.windows]
    burns[list_severities(slo)[0]] += [*losses, _express_lasting_loss(slo, clock)]
    if len(burns) == 2 and has_comparable_proxy(slo):
        distrust = f"on ({', '.join(SLI)}) ({express_distrust(slo, clock)})"
        page = "\nor\n".join(burns["page"])
        burns = {
            "page": [f"(\n{page}\n) unless {distrust}"],
            "ticket": [*burns["ticket"], f"(\n{page}\n) and {distrust}"],
        }
    for severity, each in burns.items():
        yield make_rule(S.SLO_BURN_RATIO, "\nor\n".join(each), slo=slo.name, severity=severity)


def _express_burn(slo: Slo, burn: Burn) -> str:
    of, threshold = select_indicator(slo), format_number(choose_factor(slo, burn) * slo.budget)
    return f"""\
(
  {S.name_window(S.SLI_ERROR_RATIO, burn.short)}{of} > {threshold}
  and {S.name_window(S.SLI_ERROR_RATIO, burn.long)}{of} > {threshold}
  and {_express_surprise(slo, burn.long, format_number(slo.budget))} > {BEYOND_CHANCE}
)"""


def _express_loss(slo: Slo, window: str, clock: Clock) -> str:
    """Return the ratio while it is above the budget, far above the usual one, and that is no chance.

    The shortest window is above the budget as well, so that no longer one goes on when the loss is over.
    """
    of, budget = select_indicator(slo), format_number(slo.budget)
    usual = f"clamp_min({_express_usual(slo, clock)}, {format_number(SUDDEN.floor * slo.budget)})"
    windows = dict.fromkeys((window, SUDDEN.windows[0]))
    above = "\n  and ".join(f"{S.name_window(S.SLI_ERROR_RATIO, each)}{of} > {budget}" for each in windows)
    return f"""\
(
  {above}
  and {S.name_window(S.SLI_ERROR_RATIO, window)}{of} >= {SUDDEN.times} * {_express_usual(slo, clock)}
  and {_express_surprise(slo, window, usual)}
    > {SUDDEN.surprise} * last_over_time({S.SLI_BAD_BURSTS}{of}[{clock.to_duration("10m")}])
)"""


def _express_lasting_loss(slo: Slo, clock: Clock) -> str:
    """Return the ratio of a burn that goes on.

    A loss near the budget would end and begin with each window. It ends at the usual part or half the budget.
    """
    ratio = f"{S.name_window(S.SLI_ERROR_RATIO, SUDDEN.windows[0])}{select_indicator(slo)}"
    return f"""\
(
  {ratio} > {format_number(slo.budget / 2)}
  and {ratio} >= {SUDDEN.times} * {_express_usual(slo, clock)}
  and on ({", ".join(SLI)}) {S.SLO_BURN_RATIO}{select_burn(slo, list_severities(slo)[0])}
)"""


def _express_usual(slo: Slo, clock: Clock) -> str:
    """Return the usual ratio, which is evaluated every five minutes."""
    return f"last_over_time({S.SLI_ERROR_USUAL}{select_indicator(slo)}[{clock.to_duration('10m')}])"


def _express_surprise(slo: Slo, window: str, part: str) -> str:
    """Return the logarithm of the odds that so many bad events are no chance, if there are enough to say so.

    Args:
        slo: The objective, with the least numbers of events and failures.
        window: That of the events.
        part: The part of them that is bad anyway.
    """
    of = select_indicator(slo)
    events, bad = (f"{S.name_window(name, window)}{of}" for name in (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE))
    expected = f"{part} * ({events} >= {slo.minimum.events})"
    return f"({bad} * ln(({bad} >= {slo.minimum.failures}) / ({expected})) - {bad} + {expected})"


def _build_burn_alert(slo: Slo, severity: str) -> Rule:
    rescalings = [f"{text}." for burn in BURNS if burn.severity == severity and (text := describe_rescaling(slo, burn))]
    # The value of the alert is that of a short window, and of which is not known.
    windows = describe_windows(severity, OF_INDICATOR, "{{ $value | humanizePercentage }}")
    truth = {"truth": compare_with_truth(slo)} if slo.indicator.type == "proxy" else {}
    texts = {
        "summary": f"{SERVICE_TEXT} burns the error budget of {slo.name} ({describe_indicator(slo)})",
        "description": " ".join([windows, escape_template(describe_promise(slo)), *rescalings]),
        **describe_causes(slo),
        **truth,
        **describe_policy(slo),
    }
    expr = f"{S.SLO_BURN_RATIO}{select_burn(slo, severity)}"
    return build_alert("OtelAgentopsErrorBudgetBurn", expr, slo, severity, texts)


def describe_windows(severity: str, of: str, value: str) -> str:
    """Return the sentence with the part of bad events in each window of a severity.

    Args:
        severity: That of the alert.
        of: A template that sets `$of` to the selector of the indicator.
        value: Stands in for the shortest window if a look-up finds nothing, and in Grafana, which cannot look up.
    """
    burns = [burn for burn in BURNS if burn.severity == severity]
    either = " or ".join(describe_window(burn.short) for burn in burns)
    parts: list[str] = []
    for window in sorted({window for burn in burns for window in (burn.short, burn.long)}, key=parse_window):
        start, otherwise = (", over", "") if parts else ("Over", f"Over {either} {value}")
        query = f'printf "max({S.name_window(S.SLI_ERROR_RATIO, window)}%s)" $of | query'
        share = f"{start} {describe_window(window)} {{{{ . | first | value | humanizePercentage }}}}"
        parts.append(f"{{{{ with {query} }}}}{share}{{{{ else }}}}{otherwise}{{{{ end }}}}")
    return f"{of}{''.join(parts)} are bad."
