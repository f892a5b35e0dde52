"""One panel: its query with what it says, so that none goes without title, description and unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as C
from grafana_foundation_sdk.models import dashboard as D
from grafana_foundation_sdk.models import prometheus as P

DATASOURCE = C.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24  # columns of Grafana's grid

Panel = Any  # one of the builders: they have no common type, but the same methods


class Query(NamedTuple):
    """A query in PromQL. legend: of each of its series. exemplars: lead from its points to traces."""

    expr: str
    legend: str = ""
    exemplars: bool = False


class Link(NamedTuple):
    """A link of a panel or of a value. url: may hold `${__data.fields.…}` where it belongs to a value."""

    title: str
    url: str


def lines(title: str, about: str, unit: str, *queries: Query, width: int = 12, zero: bool = True) -> Panel:
    """Values over time. zero: whether the axis begins there."""
    panel = timeseries.Panel().line_width(2).fill_opacity(0).show_points(C.VisibilityMode.NEVER).legend(_legend())
    panel.tooltip(common.VizTooltipOptions().mode(C.TooltipDisplayMode.MULTI).sort(C.SortOrder.DESCENDING))
    if zero:
        panel.min(0)
    return _filled(panel, title, about, unit, queries, width)


def shares(title: str, about: str, *queries: Query, width: int = 12) -> Panel:
    """Parts of several wholes over time, each between nothing and all."""
    return lines(title, about, "percentunit", *queries, width=width).max(1)


def stacked(title: str, about: str, unit: str, *queries: Query, width: int = 12) -> Panel:
    """Parts of a whole over time."""
    whole = common.StackingConfig().mode(C.StackingMode.NORMAL)
    return lines(title, about, unit, *queries, width=width).fill_opacity(60).line_width(1).stacking(whole)


def states(title: str, about: str, unit: str, *queries: Query, width: int = WIDTH, height: int = 8) -> Panel:
    """One row a series: when it was there, and the colour of its value."""
    panel = statetimeline.Panel().show_value(C.VisibilityMode.AUTO).row_height(0.8).merge_values(True)
    panel.fill_opacity(80).line_width(0).legend(common.VizLegendOptions().show_legend(False))
    return _filled(panel, title, about, unit, queries, width, height)


def figures(title: str, about: str, unit: str, *queries: Query, width: int = 6, height: int = 5) -> Panel:
    """The last values as numbers."""
    panel = stat.Panel().graph_mode(C.BigValueGraphMode.AREA).text_mode(C.BigValueTextMode.VALUE_AND_NAME)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if unit == "short":
        panel.decimals(0)
    return _filled(panel, title, about, unit, queries, width, height)


def rows(
    title: str,
    about: str,
    unit: str,
    *queries: Query,
    width: int = WIDTH,
    height: int = 8,
    units: Mapping[str, str] | None = None,
    links: Mapping[str, Sequence[Link]] | None = None,
) -> Panel:
    """A table of the last values: a row for each set of labels, a column for each label and each query.

    units: of columns whose unit is another one. links: of the values in a column. A query's legend names its column.
    """
    panel = _filled(table.Panel(), title, about, unit, queries, width, height)
    panel.targets([_target(query, _letter(number), True) for number, query in enumerate(queries)])
    panel.with_transformation(D.DataTransformerConfig(id_val="merge", options={}))
    names = {_column(number, queries): query.legend for number, query in enumerate(queries)}
    hidden = dict.fromkeys(("Time", "__name__", "job", "instance"), True)
    organized = {"renameByName": names, "excludeByName": hidden, "indexByName": {}}
    panel.with_transformation(D.DataTransformerConfig(id_val="organize", options=organized))
    for column, other in (units or {}).items():
        panel.override_by_name(column, [D.DynamicConfigValue(id_val="unit", value=other)])
    for column, them in (links or {}).items():
        made = [{"title": link.title, "url": link.url, "targetBlank": True} for link in them]
        panel.override_by_name(column, [D.DynamicConfigValue(id_val="links", value=made)])
    return panel


def colours(panel: Panel, *steps: tuple[float | None, str]) -> Panel:
    """Colour the values from each step on; the first has no beginning."""
    thresholds = [D.Threshold(value=value, color=colour) for value, colour in steps]
    panel.thresholds(dashboard.ThresholdsConfig().mode(D.ThresholdsMode.ABSOLUTE).steps(thresholds))
    return panel.color_scheme(dashboard.FieldColor().mode(D.FieldColorModeId.THRESHOLDS))


def _filled(
    panel: Panel, title: str, about: str, unit: str, queries: Sequence[Query], width: int, height: int = 8
) -> Panel:
    panel.title(title).description(about).unit(unit).span(width).height(height).datasource(DATASOURCE)
    return panel.targets([_target(query, _letter(number), False) for number, query in enumerate(queries)])


def _target(query: Query, letter: str, instant: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(DATASOURCE)
    made.editor_mode(P.QueryEditorMode.CODE).legend_format(query.legend or "__auto")
    if instant:
        return made.instant().format(P.PromQueryFormat.TABLE)
    return made.range().exemplar(query.exemplars)


def _letter(number: int) -> str:
    return "ABCDEFGHIJ"[number]


def _column(number: int, queries: Sequence[Query]) -> str:
    """What Grafana calls the values of a query in a table."""
    return "Value" if len(queries) == 1 else f"Value #{_letter(number)}"


def _legend() -> common.VizLegendOptions:
    shown = common.VizLegendOptions().show_legend(True).display_mode(C.LegendDisplayMode.LIST)
    return shown.placement(C.LegendPlacement.BOTTOM)
