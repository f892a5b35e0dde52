"""Drawings of the dashboards for the docs: the results of each panel's queries, drawn at the panel's place.

    python tools/draw_panels.py [--out docs/grafana]        a running demo, about two minutes

They are no screenshots: titles, units, legends and places are those of the dashboards, and matplotlib draws them. Each
says so below its title. Times are those of the clock, as in the tables.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

import dashboards
from dashboards import Panel, Series, Show, Target, Threshold

matplotlib.use("agg")
OUT = dashboards.ROOT / "docs" / "grafana"
COLUMN, LINE = 0.5, 0.34  # inches of a cell of Grafana's grid
LEGEND_ROOM = 1.6  # lines below a plot, at least
WIDE = 12
MAX_FIGURES = 6
LEGEND_LINE, LEGEND_LETTER = 0.13, 0.041  # inches of a legend in its size
SUBTITLE = (
    "A drawing of what the queries returned in the demo, not a screenshot. There an hour of the rules is ten seconds."
)


class Drawing(NamedTuple):
    """A panel that is being drawn, with what each of its queries returned."""

    axes: Axes
    panel: Panel
    results: Sequence[tuple[Target, Sequence[Series]]]
    start_time: float

    def name_series(self) -> Iterator[tuple[str, Series]]:
        """Yield each series with its legend."""
        for target, series in self.results:
            for one in series:
                yield _fill_legend(target["legendFormat"], one.labels), one


def main() -> None:
    """Run the demo's story, ask each panel's queries, and draw the dashboards."""
    parser = argparse.ArgumentParser(prog="draw_panels.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seconds", type=float, default=100)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, dashboards.run_show(Path(directory)) as show:
        while time.time() < show.start_time + options.seconds:
            show.go_on()
            time.sleep(1)
        for path in dashboards.FILES:
            figure = draw_dashboard(dashboards.read_dashboard(path), show)
            figure.savefig(options.out / f"{path.stem}.png", dpi=80)
            pyplot.close(figure)
            sys.stdout.write(f"{options.out / path.stem}.png\n")


def draw_dashboard(content: Mapping[str, Any], show: Show) -> Figure:
    """Draw one dashboard."""
    now = time.time()  # the same for all panels, so that their numbers agree
    lines = 2 + max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in content["panels"])
    figure = pyplot.figure(figsize=(24 * COLUMN, lines * LINE), facecolor="white")
    _write_heading(figure, 1 - 0.9 / lines, content["title"], size=15, weight="bold")
    _write_heading(figure, 1 - 1.7 / lines, SUBTITLE, size=8)
    for panel in content["panels"]:
        if panel["type"] == "row":
            _write_heading(figure, 1 - (panel["gridPos"]["y"] + 2.8) / lines, panel["title"], size=12)
        else:
            queries = [query for query in dashboards.list_queries(content) if query.panel == panel["title"]]
            series = [show.find_series(query, now) for query in queries]
            results = list(zip(panel["targets"], series, strict=True))
            drawing = Drawing(_add_axes(figure, panel, lines), panel, results, show.start_time)
            DRAW_BY_TYPE[panel["type"]](drawing)
    return figure


def _write_heading(figure: Figure, y: float, text: str, size: float, weight: str = "normal") -> None:
    figure.text(0.01, y, text, ha="left", va="center", color="#333", size=size, weight=weight)


def _add_axes(figure: Figure, panel: Panel, lines: int) -> Axes:
    place = panel["gridPos"]
    title, room = 1.3, 0.55 + (0 if panel["type"] in ("table", "stat") else LEGEND_ROOM)  # lines above and below
    left = 1.25 if panel["type"] == "timeseries" else 0.2
    box = (
        (place["x"] + left) / 24,
        1 - (place["y"] + 2 + place["h"] - room) / lines,
        (place["w"] - left - 0.3) / 24,
        (place["h"] - title - room) / lines,
    )
    axes = figure.add_axes(box)
    axes.set_title(panel["title"], loc="left", fontsize=9, weight="bold", color="#222")
    return axes


# -- panels of each type


def _draw_lines(drawing: Drawing) -> None:
    axes, defaults = drawing.axes, drawing.panel["fieldConfig"]["defaults"]
    if defaults["custom"].get("stacking", {}).get("mode") == "normal":
        _draw_stack(drawing)
    else:
        for legend, series in drawing.name_series():
            times, values = _split_at_gaps(series.samples)
            axes.plot(times, values, label=legend, lw=1.4)
    _, high = axes.get_ylim()
    if defaults.get("min") == 0:
        axes.set_ylim(0, max(high, 0.001))
    _draw_frame(drawing)


def _split_at_gaps(samples: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return times and values with NaN in each gap, so that a line ends where its samples do, as in Grafana."""
    times: list[float] = []
    values: list[float] = []
    for at, value in samples:
        if times and at - times[-1] > 1.5:
            times.append(at)
            values.append(float("nan"))
        times.append(at)
        values.append(value)
    return times, values


def _draw_stack(drawing: Drawing) -> None:
    samples = [(legend, dict(series.samples)) for legend, series in drawing.name_series()]
    times = sorted({at for _, values in samples for at in values})
    if times:
        heights = [[values.get(at, 0.0) for at in times] for _, values in samples]
        labels = [legend for legend, _ in samples]
        drawing.axes.stackplot(times, heights, labels=labels, alpha=0.75)


def _draw_states(drawing: Drawing) -> None:
    """Draw a bar for each sample, coloured by its value."""
    axes, rows = drawing.axes, list(drawing.name_series())[::-1]
    steps = drawing.panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    for row, (_, series) in enumerate(rows):
        bars = [(at, 1.0) for at, _ in series.samples]
        colours = [_choose_colour(steps, value) for _, value in series.samples]
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=colours, lw=0)
    axes.set_yticks(range(len(rows)), [legend for legend, _ in rows], fontsize=7)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    box = axes.get_position()
    margin = max((len(legend) for legend, _ in rows), default=0) * 0.055 / (24 * COLUMN) + 0.005
    axes.set_position((box.x0 + margin, box.y0 - 0.005, box.width - margin, box.height))
    _draw_frame(drawing, has_legend=False, has_units=False)


def _draw_figures(drawing: Drawing) -> None:
    drawing.axes.axis("off")
    defaults = drawing.panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [{"value": None, "color": "#333"}])
    figures = list(drawing.name_series())[:MAX_FIGURES]
    room = drawing.panel["gridPos"]["w"] * COLUMN * 72 / max(len(figures), 1)  # points for each figure
    for number, (legend, series) in enumerate(figures):
        x, value = (number + 0.5) / len(figures), series.samples[-1][1]
        text, colour = _format_value(value, defaults["unit"]), _choose_colour(steps, value)
        drawing.axes.text(x, 0.62, text, ha="center", va="center", fontsize=min(15, room / 6), color=colour)
        label = "\n".join(textwrap.wrap(legend, min(18, int(room / 4.5))))
        drawing.axes.text(x, 0.18, label, ha="center", va="center", fontsize=7, color="#555")


def _draw_table(drawing: Drawing) -> None:
    """Draw a row for each set of labels, as the panel merges its queries."""
    drawing.axes.axis("off")
    rows: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for target, series in drawing.results:
        unit = _find_unit(drawing.panel, target["legendFormat"])
        for one in series:
            labels = sorted((key, value) for key, value in one.labels.items() if key not in HIDDEN)
            row = rows.setdefault(tuple(labels), {})
            row[target["legendFormat"]] = _format_value(one.samples[-1][1], unit)
    names = sorted({name for key in rows for name, _ in key}, key=lambda name: (name not in FIRST, name))
    columns = [*names, *(target["legendFormat"] for target, _ in drawing.results)]
    cells = [[{**dict(key), **values}.get(name, "") for name in columns] for key, values in rows.items()]
    room = int(drawing.panel["gridPos"]["h"] * LINE / 0.2) - 2
    if cells:
        heads = [re.sub("^(otel_agentops_|deployment_|gen_ai_)", "", name) for name in columns]
        table = drawing.axes.table(
            cells[:room], colLabels=heads, loc="upper center", cellLoc="left", edges="horizontal"
        )
        table.auto_set_font_size(False)
        table.set_fontsize(7)
        table.auto_set_column_width(list(range(len(columns))))


HIDDEN = ("__name__", "job", "instance")
FIRST = ("slo", "variable", "scope", "previous", "value")
DRAW_BY_TYPE: Mapping[str, Callable[[Drawing], None]] = {
    "timeseries": _draw_lines,
    "state-timeline": _draw_states,
    "stat": _draw_figures,
    "table": _draw_table,
}


# -- frames, words and numbers


def _draw_frame(drawing: Drawing, has_legend: bool = True, has_units: bool = True) -> None:
    axes = drawing.axes
    axes.set_xlim(drawing.start_time, time.time())
    axes.xaxis.set_major_locator(
        MaxNLocator(5 if drawing.panel["gridPos"]["w"] < WIDE else 8, steps=[1, 2, 3, 5, 6, 10], prune="upper")
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: time.strftime("%H:%M:%S", time.localtime(at))))
    if has_units:
        unit = drawing.panel["fieldConfig"]["defaults"]["unit"]
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: _format_value(value, unit)))
        axes.grid(alpha=0.25)
    axes.tick_params(labelsize=7, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _, labels = axes.get_legend_handles_labels()
    if has_legend and labels:
        _draw_legend(drawing, labels)


def _draw_legend(drawing: Drawing, labels: Sequence[str]) -> None:
    """Draw every legend whole, in as many columns as fit; the plot above gets the room that is left."""
    axes, width = drawing.axes, drawing.panel["gridPos"]["w"] * COLUMN
    columns = max(1, min(3, int(width / (max(map(len, labels)) * LEGEND_LETTER + 0.4))))
    box, height = axes.get_position(), axes.figure.bbox.height / axes.figure.dpi
    bottom = box.y0 - LEGEND_ROOM * LINE / height  # of the panel
    room = (-(-len(labels) // columns) * LEGEND_LINE + 0.3) / height
    axes.set_position((box.x0, bottom + room, box.width, max(box.y1 - bottom - room, 0.5 / height)))
    place = (box.x0 - 0.03, bottom, box.width, room - 0.24 / height)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=place,
        bbox_transform=axes.figure.transFigure,
        ncols=columns,
        fontsize=6.5,
        frameon=False,
        borderaxespad=0,
        labelspacing=0.25,
    )


def _fill_legend(form: str, labels: Mapping[str, str]) -> str:
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), form)
    return " ".join(text.split())


def _find_unit(panel: Panel, column: str) -> str:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            for each in override["properties"]:
                if each["id"] == "unit":
                    return str(each["value"])
    return str(panel["fieldConfig"]["defaults"]["unit"])


def _choose_colour(steps: Sequence[Threshold], value: float) -> str:
    colour = "#333"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return COLOURS.get(colour, colour)


COLOURS = {"green": "#56A64B", "orange": "#FF9830", "red": "#E02F44", "yellow": "#F2CC0C"}


def _format_value(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "dateTimeAsIso":
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value / 1000))
    if unit == "currencyUSD":
        return f"${value:.4g}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "short" and value == round(value):
        return f"{value:,.0f}"
    return f"{value:.4g}{' s' if unit == 's' else ''}"


if __name__ == "__main__":
    main()
