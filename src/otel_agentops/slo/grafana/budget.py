"""Budget overview: what is left of each promise, how fast it goes, and whether the number is a proxy."""

from __future__ import annotations

from otel_agentops.slo._promql import SERVICE
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, colours, figures, lines, rows, states
from otel_agentops.slo.grafana._queries import OF, OF_SLO, REVISION, SERVED, SLI_NAME, SLI_TYPE
from otel_agentops.slo.prometheus.objective import SLI

REMAINING = f"otel_agentops:slo_budget:remaining{{{OF_SLO}}}"
CORRECTED = f"otel_agentops:slo_corrected:remaining{{{OF_SLO}}}"
WHO = f"{SERVED} {{{{slo}}}} ({{{{{SLI_TYPE}}}}}) {{{{{REVISION}}}}}"


def dashboard() -> Dashboard:
    """The first look in the morning, and after a page."""
    return Dashboard(
        uid="agentops-budget",
        title="otel-agentops / Budget overview",
        about="What is left of each promise about the service, and how fast it is spent. A proxy stands in for what "
        "users care about, and is called one everywhere.",
        rows=(
            Row("Now", (_table(), *_now())),
            Row("Over time", (*_remaining(), _burn(), _errors(), _events())),
            Row("Burning", (_burning(), _blamed())),
        ),
        slo=True,
        moves=True,
        traces=(traceql.BAD_TASKS,),
    )


def _table() -> Panel:
    return rows(
        "Budgets",
        "One row for each promise, service and judge revision. Type `proxy`: the number stands in for what users care "
        "about; `direct`: it is what it is named after. Remaining: 100 % untouched, below 0 overspent.",
        "percentunit",
        Query(REMAINING, "remaining"),
        Query(CORRECTED, "remaining (corrected)"),
        Query(
            f"otel_agentops:slo_bad:increase{{{OF_SLO}}} / (otel_agentops:slo_events:increase{{{OF_SLO}}} > 0)", "bad"
        ),
        Query(f"otel_agentops:slo_events:increase{{{OF_SLO}}}", "events"),
        Query(f"otel_agentops:slo_corrected:error{{{OF_SLO}}}", "bad (corrected)"),
        height=6,
        units={"events": "short"},
    )


def _now() -> tuple[Panel, ...]:
    """What the indicator says beside what follows from the truth."""
    left = figures(
        "Budget remaining now",
        "The worst series of each promise in each service. As the indicator says, be it a proxy or direct.",
        "percentunit",
        Query(f"min by ({SERVICE[0]}, slo, {SLI_TYPE}) ({REMAINING})", f"{SERVED} {{{{slo}}}} ({{{{{SLI_TYPE}}}}})"),
        width=9,
    )
    true = figures(
        "Budget remaining now, corrected",
        "The same for proxies, by the truth of a random sample. Absent where too few labels are known.",
        "percentunit",
        Query(f"min by ({SERVICE[0]}, slo) ({CORRECTED})", f"{SERVED} {{{{slo}}}} (corrected)"),
        width=9,
    )
    promised = figures(
        "Promised",
        "The objective: the part of the events that has to be good within the window of the promise.",
        "percentunit",
        Query('otel_agentops:slo_objective:ratio{slo=~"$slo"}', "{{slo}}"),
    )
    steps = ((None, "red"), (0, "orange"), (0.25, "green"))
    return colours(left, *steps), colours(true, *steps), promised


def _remaining() -> tuple[Panel, ...]:
    says = lines(
        "Budget remaining",
        "Over the window of each promise, of all its events. As the indicator says.",
        "percentunit",
        Query(REMAINING, WHO),
        zero=False,
    )
    true = lines(
        "Budget remaining, corrected",
        "Of proxies, by the truth of a random sample: how often the proxy is right is on the dashboard Proxy trust.",
        "percentunit",
        Query(CORRECTED, f"{WHO} corrected"),
        zero=False,
    )
    return says, true


def _burn() -> Panel:
    """The error ratio of an hour as a multiple of what is allowed; the promise's name comes from its budget."""
    share = f"otel_agentops:sli_error:ratio1h{{{OF}}} * on ({', '.join(SLI)}) group_right () ({REMAINING} * 0 + 1)"
    allowed = '(1 - otel_agentops:slo_objective:ratio{slo=~"$slo"})'
    return lines(
        "Burn rate over an hour",
        "1: the budget lasts exactly as long as its window. Pages begin at 14.4, or at what the note of the alert "
        "says where that cannot be reached.",
        "none",
        Query(f"{share} / on (slo) group_left () {allowed}", WHO),
    )


def _errors() -> Panel:
    of = f"{SERVED} {{{{{SLI_NAME}}}}} ({{{{{SLI_TYPE}}}}}) {{{{{REVISION}}}}}"
    return lines(
        "Bad events of five minutes and an hour",
        "Bad of all events, of every indicator that is counted, whether something was promised about it or not.",
        "percentunit",
        Query(f"otel_agentops:sli_error:ratio5m{{{OF}}}", f"{of} 5m"),
        Query(f"otel_agentops:sli_error:ratio1h{{{OF}}}", f"{of} 1h"),
    )


def _events() -> Panel:
    return lines(
        "Events within five minutes",
        "What the ratios are made of. A ratio of few events means little; alerts ask for a minimum.",
        "short",
        Query(f"otel_agentops:sli_events:increase5m{{{OF}}}", f"{SERVED} {{{{{SLI_NAME}}}}} {{{{{REVISION}}}}}"),
        width=24,
    )


def _burning() -> Panel:
    panel = states(
        "Burning",
        "Present while a promise burns over its short and its long window with enough events: the alert of the same "
        "name. The colour is the part of bad events.",
        "percentunit",
        Query(f"otel_agentops:slo_burn:ratio{{{OF_SLO}}}", f"{SERVED} {{{{slo}}}} {{{{severity}}}}"),
        height=7,
    )
    return colours(panel, (None, "yellow"), (0.2, "orange"), (0.5, "red"))


def _blamed() -> Panel:
    return rows(
        "Moved before the burn",
        "What moved in the service before the burn began, and when. That it came first does not prove that it is the "
        "cause: undo it and watch.",
        "dateTimeAsIso",
        Query(f"last_over_time(otel_agentops:slo_burn:moved{{{OF_SLO}}}[$__range]) * 1000", "moved"),
        height=7,
        links={"value": (traceql.NEW_VALUE,)},
    )
