"""Budget overview: the rest of each budget, how fast it is spent, and if the number is a proxy."""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import (
    Panel,
    Query,
    plot_lines,
    plot_states,
    set_colours,
    show_figures,
    show_table,
)
from otel_agentops.slo.grafana._queries import OF, OF_SLO, REVISION, SERVED, SLI_NAME, SLI_TYPE
from otel_agentops.slo.series import SERVICE, SLI

REMAINING = f"{S.SLO_BUDGET_REMAINING}{{{OF_SLO}}}"
CORRECTED = f"{S.SLO_CORRECTED_REMAINING}{{{OF_SLO}}}"
WHO = f"{SERVED} {{{{slo}}}} ({{{{{SLI_TYPE}}}}}) {{{{{REVISION}}}}}"


def build_dashboard() -> Dashboard:
    """Build the dashboard to look at first in the morning and after a page."""
    return Dashboard(
        uid="agentops-budget",
        title="otel-agentops / Budget overview",
        description="What is left of each promise about the service, and how fast it is spent. A proxy stands in "
        "for what users care about, and is called one everywhere.",
        rows=(
            Row("Now", (_show_budgets(), *_show_budgets_now(), _show_unseen())),
            Row("Over time", (*_plot_remaining(), _plot_burn_rate(), _plot_error_ratios(), _plot_events())),
            Row("Burning", (_plot_burning(), _show_moves_before())),
        ),
        has_slo=True,
        has_moves=True,
        trace_links=(traceql.BAD_TASKS,),
    )


def _show_budgets() -> Panel:
    return show_table(
        "Budgets",
        "One row for each promise, service and judge revision. Type `proxy`: the number stands in for what users care "
        "about; `direct`: it is what it is named after. Remaining: 100 % untouched, below 0 overspent.",
        "percentunit",
        Query(REMAINING, "remaining"),
        Query(CORRECTED, "remaining (corrected)"),
        Query(f"{S.SLO_BAD_INCREASE}{{{OF_SLO}}} / ({S.SLO_EVENTS_INCREASE}{{{OF_SLO}}} > 0)", "bad"),
        Query(f"{S.SLO_EVENTS_INCREASE}{{{OF_SLO}}}", "events"),
        Query(f"{S.SLO_CORRECTED_ERROR}{{{OF_SLO}}}", "bad (corrected)"),
        height=6,
        units={"events": "short"},
    )


def _show_unseen() -> Panel:
    return show_table(
        "Promised, never seen",
        "Promises of which no event was counted within their window, in any service: they cannot burn. The alert "
        "OtelAgentopsNeverSeen says what the application has to report. Empty is good.",
        "percentunit",
        Query(f'{S.SLO_OBJECTIVE_UNSEEN}{{slo=~"$slo"}}', "promised"),
        height=4,
    )


def _show_budgets_now() -> tuple[Panel, ...]:
    """Show the indicator's figures beside those that follow from the truth."""
    left = show_figures(
        "Budget remaining now",
        "The worst series of each promise in each service. As the indicator says, be it a proxy or direct.",
        "percentunit",
        Query(f"min by ({SERVICE[0]}, slo, {SLI_TYPE}) ({REMAINING})", f"{SERVED} {{{{slo}}}} ({{{{{SLI_TYPE}}}}})"),
        width=9,
    )
    true = show_figures(
        "Budget remaining now, corrected",
        "The same for proxies, by the truth of a random sample. Absent where too few labels are known.",
        "percentunit",
        Query(f"min by ({SERVICE[0]}, slo) ({CORRECTED})", f"{SERVED} {{{{slo}}}} (corrected)"),
        width=9,
    )
    promised = show_figures(
        "Objective",
        "The promise: the part of the events that has to be good within the window of the promise.",
        "percentunit",
        Query(f'{S.SLO_OBJECTIVE_RATIO}{{slo=~"$slo"}}', "{{slo}}"),
    )
    steps = ((None, "red"), (0, "orange"), (0.25, "green"))
    return set_colours(left, *steps), set_colours(true, *steps), promised


def _plot_remaining() -> tuple[Panel, ...]:
    says = plot_lines(
        "Budget remaining",
        "Over the window of each promise, of all its events. As the indicator says.",
        "percentunit",
        Query(REMAINING, WHO),
        from_zero=False,
    )
    true = plot_lines(
        "Budget remaining, corrected",
        "Of proxies, by the truth of a random sample: how often the proxy is right is on the dashboard Proxy trust.",
        "percentunit",
        Query(CORRECTED, f"{WHO} corrected"),
        from_zero=False,
    )
    return says, true


def _plot_burn_rate() -> Panel:
    """Plot the error ratio of an hour as a multiple of the budget, which also brings the name of the promise."""
    ratio = S.name_window(S.SLI_ERROR_RATIO, "1h")
    share = f"{ratio}{{{OF}}} * on ({', '.join(SLI)}) group_right () ({REMAINING} * 0 + 1)"
    allowed = f'(1 - {S.SLO_OBJECTIVE_RATIO}{{slo=~"$slo"}})'
    return plot_lines(
        "Burn rate over an hour",
        "1: the budget lasts exactly as long as its window. Pages begin at 14.4, or at what the note of the alert "
        "says where that cannot be reached.",
        "none",
        Query(f"{share} / on (slo) group_left () {allowed}", WHO),
    )


def _plot_error_ratios() -> Panel:
    of = f"{SERVED} {{{{{SLI_NAME}}}}} ({{{{{SLI_TYPE}}}}}) {{{{{REVISION}}}}}"
    return plot_lines(
        "Bad events of five minutes and an hour",
        "Bad of all events, of every indicator that is counted, whether something was promised about it or not.",
        "percentunit",
        Query(f"{S.name_window(S.SLI_ERROR_RATIO, '5m')}{{{OF}}}", f"{of} 5m"),
        Query(f"{S.name_window(S.SLI_ERROR_RATIO, '1h')}{{{OF}}}", f"{of} 1h"),
    )


def _plot_events() -> Panel:
    return plot_lines(
        "Events within five minutes",
        "What the ratios are made of. A ratio of few events means little; alerts ask for a minimum.",
        "short",
        Query(
            f"{S.name_window(S.SLI_EVENTS_INCREASE, '5m')}{{{OF}}}", f"{SERVED} {{{{{SLI_NAME}}}}} {{{{{REVISION}}}}}"
        ),
        width=24,
    )


def _plot_burning() -> Panel:
    panel = plot_states(
        "Burning",
        "Present while a promise burns over its short and its long window with enough events: the alert of the same "
        "name. The colour is the part of bad events.",
        "percentunit",
        Query(f"{S.SLO_BURN_RATIO}{{{OF_SLO}}}", f"{SERVED} {{{{slo}}}} {{{{severity}}}}"),
        height=7,
    )
    return set_colours(panel, (None, "yellow"), (0.2, "orange"), (0.5, "red"))


def _show_moves_before() -> Panel:
    return show_table(
        "Moved before the burn",
        "What moved in the service before the burn began, and when. That it came first does not prove that it is the "
        "cause: undo it and watch.",
        "dateTimeAsIso",
        Query(f"last_over_time({S.SLO_BURN_MOVED}{{{OF_SLO}}}[$__range]) * 1000", "moved"),
        height=7,
        links={"value": (traceql.NEW_VALUE,)},
    )
