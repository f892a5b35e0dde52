"""The frame of every dashboard: variables, links to the others, and the moves as annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as D

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo.grafana._panels import DATASOURCE, Link, Panel
from otel_agentops.slo.grafana._queries import OF
from otel_agentops.slo.series import SERVICE
from otel_agentops.slo.units import format_duration

TAG = "otel-agentops"
LOOK_BACK = 6 * 3600
SHORTEST = 300


class Row(NamedTuple):
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(NamedTuple):
    """A dashboard as data.

    Attributes:
        uid: Never changes, since links go by it.
        has_slo: Let the reader choose objectives.
        has_moves: Draw the moves over its panels.
        has_service: Let the reader choose services and environments.
        trace_links: Links to Explore, for which the reader chooses a Tempo.
    """

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    has_slo: bool = False
    has_moves: bool = False
    has_service: bool = True
    trace_links: Sequence[Link] = ()


def render_dashboard(data: Dashboard, time_scale: float) -> str:
    """Return the dashboard as JSON, the same for the same panels."""
    # Grafana 10 to 13 import and provision this schema; its successor needs 12.
    board = dashboard.Dashboard(data.title).uid(data.uid).description(data.description).tags([TAG])
    start = format_duration(max(LOOK_BACK / time_scale, SHORTEST))
    board.timezone("browser").readonly().time(f"now-{start}", "now").refresh("1m" if time_scale == 1 else "5s")
    board.tooltip(D.DashboardCursorSync.CROSSHAIR).variables(_build_variables(data))
    board.links(_build_links(data.trace_links))
    board.annotations([_annotate_moves()] if data.has_moves else [])
    # Panels are numbered in their order: a link to a panel goes by its number.
    numbers = count(1)
    for row in data.rows:
        board.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            board.with_panel(panel.id(next(numbers)))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _build_links(trace_links: Sequence[Link]) -> list[dashboard.DashboardLink]:
    """Return the links at the top: to the other dashboards, and to Explore."""
    others = dashboard.DashboardLink("otel-agentops").type(D.DashboardLinkType.DASHBOARDS).tags([TAG])
    links = [others.as_dropdown(True).include_vars(True).keep_time(True)]
    for link in trace_links:
        explore = dashboard.DashboardLink(link.title).type(D.DashboardLinkType.LINK).url(link.url).icon("external link")
        links.append(explore.target_blank(True).tooltip("In Explore, where the datasource `traces` is a Tempo."))
    for each in links:
        each.build().placement = None  # by default the models put every link into a menu
    return links


# -- variables


def _build_variables(data: Dashboard) -> list[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    variables = [dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")]
    if data.trace_links:
        variables.append(dashboard.DatasourceVariable("traces").label("traces (Tempo)").type("tempo"))
    if data.has_service:
        spans = f"{M.METRICS[M.SPAN_DURATION].prometheus}_count"
        variables.append(_query_values("service", spans, SERVICE[0]))
        variables.append(_query_values("environment", f'{spans}{{{SERVICE[0]}=~"$service"}}', SERVICE[1]))
    if data.has_slo:
        variables.append(_query_values("slo", f"{S.SLO_BUDGET_REMAINING}{{{OF}}}", "slo"))
    return variables


def _query_values(name: str, series: str, label: str) -> dashboard.QueryVariable:
    query = f"label_values({series}, {label})"
    variable = dashboard.QueryVariable(name).label(name).datasource(DATASOURCE).query({"query": query, "refId": name})
    variable.definition(query).refresh(D.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(D.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*").current(D.VariableOption(text="All", value="$__all"))


# -- annotations


def _annotate_moves() -> dashboard.AnnotationQuery:
    """Mark each move once, at the time that its series holds: Grafana wants milliseconds and drops doubles."""
    moves = dashboard.AnnotationQuery().name("moved").datasource(DATASOURCE).enable(True).icon_color("orange")
    moves.expr(f"{S.VARIABLE_MOVED}{{{OF}}} * 1000").step("60s").use_value_for_time(True)
    moves.title_format("{{variable}} of {{scope}} moved").text_format("{{previous}} → {{value}}")
    return moves.tag_keys(f"variable,{A.SERVICE_NAME.replace('.', '_')}")
