"""Start here: what burns, which value explains it, what is sick, what moved; and the way to the other dashboards.

It shows what `otel-agentops triage` says in words.
"""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Link, Panel, Query, plot_lines, show_figures, show_table
from otel_agentops.slo.grafana._queries import OF, SERVED, SLI_NAME
from otel_agentops.slo.series import SERVICE

MOST = 20  # values in the table of evidence


def _link_dashboard(title: str, uid: str) -> Link:
    """Return a link to another dashboard, for the service of the row and the time that is shown."""
    variables = "&".join(
        f"var-{variable}=${{__data.fields.{label}}}"
        for variable, label in (("service", SERVICE[0]), ("environment", SERVICE[1]))
    )
    return Link(title, f"/d/{uid}?{variables}&from=${{__from}}&to=${{__to}}")


def build_dashboard() -> Dashboard:
    """Build the first dashboard of the list; Grafana sorts a folder by title, and a figure comes before letters."""
    return Dashboard(
        uid="agentops-start",
        title="otel-agentops / 1 Start here",
        description="Does a budget burn, and why? Read it from top to bottom; a click on a value leads to the "
        "dashboard or the traces that say more. `otel-agentops triage` says the same in words.",
        rows=(
            Row("What burns, and why", (_show_verdicts(), _plot_bad_events())),
            Row("Which value explains it", (_show_evidence(), _plot_odds())),
            Row("What is sick", (_show_surfaces(),)),
            Row("What moved, what is observed", (_show_moves(), _count_observed())),
        ),
        has_moves=True,
        trace_links=(traceql.BAD_TASKS, traceql.TAGGED),
    )


def _show_verdicts() -> Panel:
    burn = f"{S.SLO_BURN_RATIO}{{{OF}}}"
    return show_table(
        "Verdict",
        "One row for each budget that burns; empty is good. `it_is` and `likely`: the value in the row explains the "
        "bad events. `moved_no_contrast`: everybody got it at once, so that only the time speaks for it. `sick`: see "
        "below. `nothing_moved`: all that is observed stayed the same. `cannot_tell`: too little, or two at once.",
        "percentunit",
        Query(
            f"{burn} * on ({_BURN}) group_left ({_ABOUT}) ({S.SLO_BURN_VERDICT}{{{OF}}} ^ 0) or on ({_BURN}) {burn}",
            "bad",
        ),
        height=7,
        links={
            "slo": (_link_dashboard("Budget overview", "agentops-budget"),),
            "word": (_link_dashboard("Triage by surface", "agentops-triage"),),
            "variable": (_link_dashboard("What moved", "agentops-moved"),),
            "value": (traceql.NEW_VALUE,),
        },
    )


_BURN = ", ".join((*S.SLI, "slo", "severity"))
_ABOUT = "word, variable, scope, value, previous"


def _plot_bad_events() -> Panel:
    return plot_lines(
        "Bad events",
        "The part of the events of each indicator that is bad, over five minutes. Marks are moves.",
        "percentunit",
        Query(f"{S.name_window(S.SLI_ERROR_RATIO, '5m')}{{{OF}}}", f"{SERVED} {{{{{SLI_NAME}}}}}"),
        width=24,
    )


def _show_evidence() -> Panel:
    values = f"topk({MOST}, {S.SLI_VALUE_EVIDENCE}{{{OF}}})"
    return show_table(
        "Evidence by value",
        "Odds, to one, that events with the value are worse than those with the other values of its scope in the same "
        "minutes; 20 is likely, 100 is all but sure. Explains: its part of the bad events above the usual.",
        "none",
        Query(values, "odds"),
        *(
            Query(f"{record}{{{OF}}} and on ({_VALUE}) {values}", name)
            for record, name in (
                (S.SLI_VALUE_EXPLAINED, "explains"),
                (S.SLI_VALUE_RATIO, "bad with it"),
                (S.SLI_VALUE_RATIO_OTHERS, "bad without it"),
            )
        ),
        units=dict.fromkeys(("explains", "bad with it", "bad without it"), "percentunit"),
        links={"value": (traceql.NEW_VALUE,), "variable": (_link_dashboard("What moved", "agentops-moved"),)},
    )


_VALUE = ", ".join((*S.SLI, "variable", "scope", "value"))


def _plot_odds() -> Panel:
    return plot_lines(
        "Odds over time, as a power of ten",
        "0: nothing speaks for the value; 1.3: it is likely (20 : 1); 2: all but sure (100 : 1).",
        "none",
        Query(
            f"log10(topk(5, {S.SLI_VALUE_EVIDENCE}{{{OF}}}))",
            f"{SERVED} {{{{variable}}}} {{{{scope}}}}: {{{{value}}}} ({{{{{SLI_NAME}}}}})",
        ),
        width=24,
        from_zero=False,
    )


def _show_surfaces() -> Panel:
    return show_table(
        "Providers, retrievals and tools",
        "Errors, empty results and rate limits as parts of the operations of ten minutes, and seconds at the 95th "
        "percentile; the day before beside them. Sick: far above the usual. A lost replica, an outage and a rate limit "
        "move no value and are seen here alone.",
        "none",
        Query(f"{S.SURFACE_NOW}{{{OF}}}", "now"),
        Query(f"{S.SURFACE_USUAL}{{{OF}}}", "day before"),
        Query(f"{S.SURFACE_SICK}{{{OF}}} > bool 0 or {S.SURFACE_NOW}{{{OF}}} * 0", "sick"),
        links={"surface": (_link_dashboard("Triage by surface", "agentops-triage"),)},
    )


def _show_moves() -> Panel:
    return show_table(
        "Latest moves",
        "Values that became active or came to matter in the time that is shown, with the time of their first "
        "observation. A move is no proof: look at the odds above.",
        "dateTimeAsIso",
        Query(f"last_over_time({S.VARIABLE_MOVED}{{{OF}}}[$__range]) * 1000", "moved"),
        width=16,
        links={"value": (traceql.NEW_VALUE,)},
    )


def _count_observed() -> Panel:
    by = ", ".join((SERVICE[0], "variable"))
    return show_figures(
        "Values observed in an hour",
        "For each variable. One that is missing here is not observed, and so not cleared.",
        "short",
        Query(f"count by ({by}) ({S.name_window(S.VARIABLE_INCREASE, '1h')}{{{OF}}})", f"{SERVED} {{{{variable}}}}"),
        width=8,
        height=8,
    )
