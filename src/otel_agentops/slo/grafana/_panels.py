"""The kinds of panels, each built with its queries, title, description and unit, so that none goes without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as C
from grafana_foundation_sdk.models import dashboard as D
from grafana_foundation_sdk.models import prometheus as P

DATASOURCE = C.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24  # columns of Grafana's grid

Panel: TypeAlias = "timeseries.Panel | statetimeline.Panel | stat.Panel | table.Panel"
AnyPanel = TypeVar("AnyPanel", bound=Panel)


class Query(NamedTuple):
    """A query in PromQL.

    Attributes:
        legend: The legend of each of its series, or its column in a table.
        exemplars: Show exemplars, which lead from its points to traces.
    """

    expr: str
    legend: str = ""
    exemplars: bool = False


class Link(NamedTuple):
    """A link of a panel or of a value.

    Attributes:
        url: May hold `${__data.fields.…}` if the link belongs to a value.
    """

    title: str
    url: str


def plot_lines(
    title: str, description: str, unit: str, *queries: Query, width: int = 12, from_zero: bool = True
) -> timeseries.Panel:
    """Build a panel of values over time, on an axis that begins at zero or at the lowest value."""
    panel = timeseries.Panel().line_width(2).fill_opacity(0).show_points(C.VisibilityMode.NEVER)
    legend = common.VizLegendOptions().show_legend(True).display_mode(C.LegendDisplayMode.LIST)
    panel.legend(legend.placement(C.LegendPlacement.BOTTOM))
    panel.tooltip(common.VizTooltipOptions().mode(C.TooltipDisplayMode.MULTI).sort(C.SortOrder.DESCENDING))
    if from_zero:
        panel.min(0)
    return _fill_panel(panel, title, description, unit, queries, width)


def plot_shares(title: str, description: str, *queries: Query, width: int = 12) -> timeseries.Panel:
    """Build a panel of parts of several wholes over time, each between 0 and 1."""
    return plot_lines(title, description, "percentunit", *queries, width=width).max(1)


def plot_stack(title: str, description: str, unit: str, *queries: Query, width: int = 12) -> timeseries.Panel:
    """Build a panel of parts of one whole over time."""
    stacking = common.StackingConfig().mode(C.StackingMode.NORMAL)
    panel = plot_lines(title, description, unit, *queries, width=width)
    return panel.fill_opacity(60).line_width(1).stacking(stacking)


def plot_states(
    title: str, description: str, unit: str, *queries: Query, width: int = WIDTH, height: int = 8
) -> statetimeline.Panel:
    """Build a panel with a row for each series: when it was there, and the colour of its value."""
    panel = statetimeline.Panel().show_value(C.VisibilityMode.AUTO).row_height(0.8).merge_values(True)
    panel.fill_opacity(80).line_width(0).legend(common.VizLegendOptions().show_legend(False))
    return _fill_panel(panel, title, description, unit, queries, width, height)


def show_figures(
    title: str, description: str, unit: str, *queries: Query, width: int = 6, height: int = 5
) -> stat.Panel:
    """Build a panel of the last values as numbers."""
    panel = stat.Panel().graph_mode(C.BigValueGraphMode.AREA).text_mode(C.BigValueTextMode.VALUE_AND_NAME)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if unit == "short":
        panel.decimals(0)
    return _fill_panel(panel, title, description, unit, queries, width, height)


def show_table(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = WIDTH,
    height: int = 8,
    units: Mapping[str, str] | None = None,
    links: Mapping[str, Sequence[Link]] | None = None,
) -> table.Panel:
    """Build a table of the last values: a row for each set of labels, a column for each label and each query.

    Args:
        title: The panel's title.
        description: The text behind the panel's `i`.
        unit: Grafana's id of the unit of the values.
        *queries: One column each.
        width: In Grafana's grid of 24 columns.
        height: In rows of the grid.
        units: The units of the columns that have another one, by the name of the column.
        links: The links of the values in a column, by its name.
    """
    panel = _fill_panel(table.Panel(), title, description, unit, queries, width, height, is_table=True)
    panel.with_transformation(D.DataTransformerConfig(id_val="merge", options={}))
    # Grafana names the values of a query so, by the number of queries in the table.
    columns = ["Value"] if len(queries) == 1 else [f"Value #{letter}" for letter in _LETTERS[: len(queries)]]
    names = {column: query.legend for column, query in zip(columns, queries, strict=True)}
    hidden = dict.fromkeys(("Time", "__name__", "job", "instance"), True)
    organize = {"renameByName": names, "excludeByName": hidden, "indexByName": {}}
    panel.with_transformation(D.DataTransformerConfig(id_val="organize", options=organize))
    for column, column_unit in (units or {}).items():
        panel.override_by_name(column, [D.DynamicConfigValue(id_val="unit", value=column_unit)])
    for column, column_links in (links or {}).items():
        values = [{"title": link.title, "url": link.url, "targetBlank": True} for link in column_links]
        panel.override_by_name(column, [D.DynamicConfigValue(id_val="links", value=values)])
    return panel


def set_colours(panel: AnyPanel, *steps: tuple[float | None, str]) -> AnyPanel:
    """Colour the values from each step on; the first has no beginning."""
    thresholds = [D.Threshold(value=value, color=colour) for value, colour in steps]
    panel.thresholds(dashboard.ThresholdsConfig().mode(D.ThresholdsMode.ABSOLUTE).steps(thresholds))
    panel.color_scheme(dashboard.FieldColor().mode(D.FieldColorModeId.THRESHOLDS))
    return panel


_LETTERS = "ABCDEFGHIJ"


def _fill_panel(
    panel: AnyPanel,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    width: int,
    height: int = 8,
    is_table: bool = False,
) -> AnyPanel:
    panel.title(title).description(description).unit(unit).span(width).height(height).datasource(DATASOURCE)
    panel.targets([_build_target(query, letter, is_table) for letter, query in zip(_LETTERS, queries, strict=False)])
    return panel


def _build_target(query: Query, letter: str, is_table: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(DATASOURCE)
    target.editor_mode(P.QueryEditorMode.CODE).legend_format(query.legend or "__auto")
    if is_table:
        return target.instant().format(P.PromQueryFormat.TABLE)
    return target.range().exemplar(query.exemplars)
