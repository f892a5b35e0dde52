"""Pictures of the dashboards for the docs: what each panel's queries return, drawn where the panel is.

    python tools/pictures.py [--out docs/grafana]        a running demo, about two minutes

Grafana itself is not there to draw them; titles, units, legends and places are those of the dashboards.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

import dashboards
from dashboards import Show

matplotlib.use("agg")
OUT = dashboards.ROOT / "docs" / "grafana"
COLUMN, LINE = 0.5, 0.3  # inches of a cell of Grafana's grid
MOST = 8  # names in a legend

Series = dict[str, Any]
Found = Sequence[tuple[Mapping[str, Any], Sequence[Series]]]  # target, what it returned


def main() -> None:
    """Perform, ask, draw."""
    parser = argparse.ArgumentParser(prog="pictures.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seconds", type=float, default=100)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, dashboards.showing(Path(directory)) as show:
        while time.time() < show.began + given.seconds:
            show.go_on()
            time.sleep(1)
        for path in dashboards.FILES:
            drawn = draw(dashboards.read(path), show)
            drawn.savefig(given.out / f"{path.stem}.png", dpi=80)
            pyplot.close(drawn)
            sys.stdout.write(f"{given.out / path.stem}.png\n")


def draw(content: Mapping[str, Any], show: Show) -> Figure:
    """One dashboard."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in content["panels"])
    figure = pyplot.figure(figsize=(24 * COLUMN, (bottom + 2) * LINE), facecolor="white")
    _write(figure, 0.01, 1 - 0.9 / (bottom + 2), content["title"], size=15, weight="bold")
    for panel in content["panels"]:
        if panel["type"] == "row":
            _write(figure, 0.01, 1 - (panel["gridPos"]["y"] + 2.8) / (bottom + 2), panel["title"], size=12)
        else:
            _draw_panel(figure, panel, bottom + 2, _found(content, panel, show), show)
    return figure


def _write(figure: Figure, x: float, y: float, text: str, **how: Any) -> None:
    figure.text(x, y, text, ha="left", va="center", color="#333", **how)


def _found(content: Mapping[str, Any], panel: Mapping[str, Any], show: Show) -> Found:
    asked = [one for one in dashboards.queries(content) if one.panel == panel["title"]]
    return [(target, show.found(one)) for target, one in zip(panel["targets"], asked, strict=True)]


def _draw_panel(figure: Figure, panel: Mapping[str, Any], lines: int, found: Found, show: Show) -> None:
    at = panel["gridPos"]
    title, room = 1.3, 0.55 + (0 if panel["type"] in ("table", "stat") else 1.6)  # lines above and below
    left = 1.25 if panel["type"] == "timeseries" else 0.2
    box = (
        (at["x"] + left) / 24,
        1 - (at["y"] + 2 + at["h"] - room) / lines,
        (at["w"] - left - 0.3) / 24,
        (at["h"] - title - room) / lines,
    )
    axes = figure.add_axes(box)
    axes.set_title(panel["title"], loc="left", fontsize=9, weight="bold", color="#222")
    DRAWERS[panel["type"]](axes, panel, found, show)


# -- panels of each kind


def _lines(axes: Axes, panel: Mapping[str, Any], found: Found, show: Show) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    if custom.get("stacking", {}).get("mode") == "normal":
        _stack(axes, found, show)
    else:
        for label, samples in _named(found):
            times, values = _with_gaps(samples)
            axes.plot([at - show.began for at in times], values, label=label, lw=1.4)
    _, high = axes.get_ylim()
    if panel["fieldConfig"]["defaults"].get("min") == 0:
        axes.set_ylim(0, max(high, 0.001))
    _frame(axes, panel, show)


def _with_gaps(samples: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """A line ends where its samples do, as in Grafana."""
    times: list[float] = []
    values: list[float] = []
    for at, value in samples:
        if times and at - times[-1] > 1.5:
            times.append(at)
            values.append(float("nan"))
        times.append(at)
        values.append(value)
    return times, values


def _stack(axes: Axes, found: Found, show: Show) -> None:
    named = [(label, dict(samples)) for label, samples in _named(found)]
    times = sorted({at for _, samples in named for at in samples})
    values = [[samples.get(at, 0.0) for at in times] for _, samples in named]
    if times:
        names = [label for label, _ in named]
        axes.stackplot([at - show.began for at in times], values, labels=names, alpha=0.75)


def _states(axes: Axes, panel: Mapping[str, Any], found: Found, show: Show) -> None:
    """A bar for each sample, coloured by its value."""
    rows = list(_named(found))[::-1]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    for row, (_, samples) in enumerate(rows):
        bars = [(at - show.began, 1.0) for at, _ in samples]
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=[_colour(steps, value) for _, value in samples], lw=0)
    axes.set_yticks(range(len(rows)), [_short(label, 58) for label, _ in rows], fontsize=7)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    box = axes.get_position()
    margin = 0.29 * (panel["gridPos"]["w"] / 24) + 0.04
    axes.set_position((box.x0 + margin, box.y0 - 0.005, box.width - margin, box.height))
    _frame(axes, panel, show, legend=False, units=False)


def _figures(axes: Axes, panel: Mapping[str, Any], found: Found, show: Show) -> None:
    del show
    axes.axis("off")
    unit = panel["fieldConfig"]["defaults"]["unit"]
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [{"value": None, "color": "#333"}])
    named = list(_named(found))[:6]
    for number, (label, samples) in enumerate(named):
        x = (number + 0.5) / len(named)
        value = samples[-1][1]
        axes.text(x, 0.62, _told(value, unit), ha="center", va="center", fontsize=15, color=_colour(steps, value))
        axes.text(x, 0.18, "\n".join(textwrap.wrap(label, 18)), ha="center", va="center", fontsize=7, color="#555")


def _table(axes: Axes, panel: Mapping[str, Any], found: Found, show: Show) -> None:
    """As the panel merges it: a row for each set of labels."""
    del show
    axes.axis("off")
    rows: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for target, series in found:
        unit = _unit_of(panel, target["legendFormat"])
        for one in series:
            labels = {key: value for key, value in one["labels"].items() if key not in HIDDEN}
            kept = rows.setdefault(tuple(sorted(labels.items())), {})
            kept[target["legendFormat"]] = _told(one["samples"][-1][1], unit)
    names = sorted({name for key in rows for name, _ in key}, key=lambda name: (name not in FIRST, name))
    columns = [*names, *(target["legendFormat"] for target, _ in found)]
    cells = [[_short({**dict(key), **values}.get(name, ""), 24) for name in columns] for key, values in rows.items()]
    room = int(panel["gridPos"]["h"] * LINE / 0.2) - 2
    if cells:
        heads = [re.sub("^(otel_agentops_|deployment_|gen_ai_)", "", name) for name in columns]
        made = axes.table(cells[:room], colLabels=heads, loc="upper center", cellLoc="left", edges="horizontal")
        made.auto_set_font_size(False)
        made.set_fontsize(7)
        made.auto_set_column_width(list(range(len(columns))))


HIDDEN = ("__name__", "job", "instance")
FIRST = ("slo", "variable", "scope", "previous", "value")
DRAWERS: Mapping[str, Callable[[Axes, Mapping[str, Any], Found, Show], None]] = {
    "timeseries": _lines,
    "state-timeline": _states,
    "stat": _figures,
    "table": _table,
}


# -- words and numbers


def _named(found: Found) -> list[tuple[str, list[tuple[float, float]]]]:
    """Each series by its legend."""
    named = []
    for target, series in found:
        for one in series:
            named.append((_legend(target["legendFormat"], one["labels"]), one["samples"]))
    return named


def _legend(form: str, labels: Mapping[str, str]) -> str:
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), form)
    return " ".join(text.split())


def _frame(axes: Axes, panel: Mapping[str, Any], show: Show, legend: bool = True, units: bool = True) -> None:
    axes.set_xlim(0, time.time() - show.began)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at * dashboards.TIME_SCALE / 3600:.0f} h"))
    if units:
        unit = panel["fieldConfig"]["defaults"]["unit"]
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: _told(value, unit)))
        axes.grid(alpha=0.25)
    axes.tick_params(labelsize=7, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    if legend and labels:
        kept = [_short(label, 48) for label in labels[:MOST]]
        down = -0.55 / (panel["gridPos"]["h"] - 3)
        axes.legend(
            handles[:MOST], kept, loc="upper left", bbox_to_anchor=(0, down), ncols=2, fontsize=6.5, frameon=False
        )


def _unit_of(panel: Mapping[str, Any], column: str) -> str:
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == column:
            for each in override["properties"]:
                if each["id"] == "unit":
                    return str(each["value"])
    return str(panel["fieldConfig"]["defaults"]["unit"])


def _colour(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    colour = "#333"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return COLOURS.get(colour, colour)


COLOURS = {"green": "#56A64B", "orange": "#FF9830", "red": "#E02F44", "yellow": "#F2CC0C"}


def _told(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.4g} %"
    if unit == "dateTimeAsIso":
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value / 1000))
    if unit == "currencyUSD":
        return f"${value:.4g}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.4g}{' s' if unit == 's' else ''}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


if __name__ == "__main__":
    main()
