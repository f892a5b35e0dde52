"""One dashboard: what all of them have, which is variables, links to each other, and the moves as annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as D

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo._promql import SERVICE, duration
from otel_agentops.slo.grafana._panels import DATASOURCE, Link, Panel
from otel_agentops.slo.grafana._queries import OF
from otel_agentops.slo.variables import PREFIX as VARIABLE

TAG = "otel-agentops"
LOOK_BACK = 6 * 3600
SHORTEST = 300


class Row(NamedTuple):
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


class Dashboard(NamedTuple):
    """One dashboard. uid: never changes, links go by it. slo: whether it asks for one. moves: drawn over its panels."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    slo: bool = False
    moves: bool = False
    service: bool = True
    traces: Sequence[Link] = ()


def text(one: Dashboard, time_scale: float) -> str:
    """The dashboard as JSON, the same for the same panels."""
    made = _built(one, time_scale)
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _built(one: Dashboard, time_scale: float) -> Any:
    shown = duration(max(LOOK_BACK / time_scale, SHORTEST))
    made = _new(one.title).uid(one.uid).description(one.about).tags([TAG]).timezone("browser").readonly()
    made.time(f"now-{shown}", "now").refresh("1m" if time_scale == 1 else "5s")
    made.tooltip(D.DashboardCursorSync.CROSSHAIR).variables(_variables(one))
    made.links([_others(), *(_explore(link) for link in one.traces)])
    made.annotations([_moves()] if one.moves else [])
    return _with_panels(made, one.rows).build()


def _with_panels(made: Any, rows: Sequence[Row]) -> Any:
    """Numbered in their order: a link to a panel goes by its number."""
    number = 0
    for row in rows:
        made.with_row(dashboard.Row(row.title).id(number := number + 1))
        for panel in row.panels:
            made.with_panel(panel.id(number := number + 1))
    return made


def _new(title: str) -> Any:
    """Grafana 10 to 13 import and provision this schema; its successor needs 12."""
    return dashboard.Dashboard(title)


def _others() -> Any:
    made = dashboard.DashboardLink("otel-agentops").type(D.DashboardLinkType.DASHBOARDS).tags([TAG])
    return _at_the_top(made.as_dropdown(True).include_vars(True).keep_time(True))


def _explore(link: Link) -> Any:
    made = dashboard.DashboardLink(link.title).type(D.DashboardLinkType.LINK).url(link.url).icon("external link")
    return _at_the_top(made.target_blank(True).tooltip("In Explore, where the datasource `traces` is a Tempo."))


def _at_the_top(link: Any) -> Any:
    """The models put every link into a menu, unasked."""
    link.build().placement = None
    return link


# -- variables


def _variables(one: Dashboard) -> list[Any]:
    made: list[Any] = [dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")]
    if one.traces:
        made.append(dashboard.DatasourceVariable("traces").label("traces (Tempo)").type("tempo"))
    if one.service:
        spans = f"{M.METRICS[M.SPAN_DURATION].prometheus}_count"
        made.append(_values("service", spans, SERVICE[0]))
        made.append(_values("environment", f'{spans}{{{SERVICE[0]}=~"$service"}}', SERVICE[1]))
    if one.slo:
        made.append(_values("slo", f"otel_agentops:slo_budget:remaining{{{OF}}}", "slo"))
    return made


def _values(name: str, series: str, label: str) -> Any:
    query = f"label_values({series}, {label})"
    made = dashboard.QueryVariable(name).label(name).datasource(DATASOURCE).query({"query": query, "refId": name})
    made.definition(query).refresh(D.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(D.VariableSort.ALPHABETICAL_ASC)
    return made.multi(True).include_all(True).all_value(".*").current(D.VariableOption(text="All", value="$__all"))


# -- annotations


def _moves() -> Any:
    """Each move once, at the time that its series holds: Grafana wants milliseconds and drops doubles."""
    made = dashboard.AnnotationQuery().name("moved").datasource(DATASOURCE).enable(True).icon_color("orange")
    made.expr(f"{VARIABLE}moved{{{OF}}} * 1000").step("60s").use_value_for_time(True)
    made.title_format("{{variable}} of {{scope}} moved").text_format("{{previous}} → {{value}}")
    return made.tag_keys(f"variable,{A.SERVICE_NAME.replace('.', '_')}")
