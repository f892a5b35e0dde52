"""Moves: the values of each variable over time, and what is strange about them."""

from __future__ import annotations

from otel_agentops.slo import series as S
from otel_agentops.slo.grafana import traceql
from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import (
    Panel,
    Query,
    plot_lines,
    plot_shares,
    plot_stack,
    plot_states,
    set_colours,
    show_table,
)
from otel_agentops.slo.grafana._queries import OF, SERVED
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.variables import VARIABLES


def build_dashboard() -> Dashboard:
    """Build the dashboard of the six variables side by side."""
    return Dashboard(
        uid="agentops-moved",
        title="otel-agentops / What moved",
        description="Which variable moved: model, prompt, tools, index, judge and the mix of the traffic, each by "
        "itself. A value is there only while it is observed.",
        rows=(
            Row("Values", (_plot_values(), _show_moves())),
            Row("Shares", (plot_share("model"), plot_share("prompt"), plot_share("tools"), plot_share("index"))),
            Row("Traffic", (_plot_traffic(), _plot_distance())),
            Row(
                "Wrong without a move",
                (_show_drifted_models(), _show_skewed_values(), _show_stale_evaluations(), _plot_unlisted_values()),
            ),
        ),
        has_moves=True,
        trace_links=(traceql.BAD_TASKS, traceql.UNLISTED),
    )


def select_share(variable: str) -> str:
    """Select each value's part of the observations in its scope."""
    return f'{S.VARIABLE_SHARE}{{{OF}, variable="{variable}"}}'


def _plot_values() -> Panel:
    panel = plot_states(
        "Values in use",
        "One row for each variable, scope and value, there while the value was observed within five minutes. The "
        "colour is its share in the scope, in tenths: a roll-out is a row that darkens while another one fades.",
        "percentunit",
        *(
            Query(f"round({select_share(name)}, 0.1)", f"{SERVED} {name} {{{{scope}}}}: {{{{value}}}}")
            for name in VARIABLES
        ),
        height=14,
    )
    steps = ((None, "#C8F2C2"), (0.3, "#96D98D"), (0.6, "#56A64B"), (0.9, "#37872D"))
    return set_colours(panel, *steps)


def _show_moves() -> Panel:
    return show_table(
        "Moves",
        "Values that became active in a scope that was active without them, also those that came back, with the time "
        "of their first observation.",
        "dateTimeAsIso",
        Query(f"last_over_time({S.VARIABLE_MOVED}{{{OF}}}[$__range]) * 1000", "moved"),
        height=6,
        links={"value": (traceql.NEW_VALUE,)},
    )


# What the values of a variable are, for titles.
VALUE_NAMES = {
    "model": "Model version",
    "prompt": "Prompt version",
    "tools": "Tool schema",
    "tool": "Tool schema",
    "index": "Index version",
    "judge": "Judge revision",
    "traffic": "Traffic segment",
}


def plot_share(variable: str, width: int = 12) -> Panel:
    """Build a panel of the share that each value of a variable has in its scope."""
    return plot_shares(
        f"{VALUE_NAMES[variable]} share",
        f"The part of the observations of its scope that each value of the variable `{variable}` has. A step is a "
        "switch, a ramp a gradual roll-out.",
        Query(select_share(variable), f"{SERVED} {{{{scope}}}}: {{{{value}}}}"),
        width=width,
    )


def _plot_traffic() -> Panel:
    return plot_stack(
        "Mix of the traffic",
        "The share of each segment of the traffic, as the application declares it; choose one service.",
        "percentunit",
        Query(select_share("traffic"), f"{SERVED} {{{{value}}}}"),
    )


def _plot_distance() -> Panel:
    return plot_lines(
        "Traffic that differs from the day before",
        "The part of the last hour's traffic that the day before did not have: half of the sum of what all segments "
        "gained or lost. A fifth and more than chance is reported as a move.",
        "percentunit",
        Query(f"{S.TRAFFIC_DISTANCE}{{{OF}}}", SERVED),
    )


def _show_drifted_models() -> Panel:
    return show_table(
        "Models that drifted",
        "Another version answers than before, though the same one is asked for and nobody said that it would.",
        "dateTimeAsIso",
        Query(f"last_over_time({S.VARIABLE_DRIFTED}{{{OF}}}[$__range]) * 1000", "drifted"),
        height=5,
        links={"value": (traceql.NEW_VALUE,)},
    )


def _plot_unlisted_values() -> Panel:
    return plot_lines(
        "Values that are not in the lock file",
        "Observations within an hour of values that nobody approved. Needs the collector's fragment of a lock file.",
        "short",
        Query(f"{S.VARIABLE_UNLISTED}{{{OF}}}", f"{SERVED} {{{{variable}}}} {{{{scope}}}}: {{{{value}}}}"),
    )


def _show_skewed_values() -> Panel:
    return show_table(
        "Skewed",
        "The same scope has one value in one place and another one elsewhere, since when. A place is a region, or a "
        "collector where the region is not known.",
        "dateTimeAsIso",
        Query(f"last_over_time({S.VARIABLE_SKEWED}{{{OF}}}[$__range]) * 1000", "since"),
        height=5,
    )


def _show_stale_evaluations() -> Panel:
    """Show stale evaluations by service, since sets are evaluated in any environment."""
    return show_table(
        "Evaluations that are stale",
        "Sets of cases whose last scores are about something that is there no more: reason `moved` or `judge`, or that "
        "are a week old: `age`; and the time of the move or of the last evaluation.",
        "dateTimeAsIso",
        Query(f'{S.EVAL_SET_STALE}{{{SERVICE[0]}=~"$service"}} * 1000', "since"),
        width=12,
    )
