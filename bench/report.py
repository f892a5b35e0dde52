"""From samples to one table: medians over rounds of what each variant adds to the run without instrumentation.

A round measures every variant once, one after the other, so a machine that gets slower or faster moves all of them;
the difference within a round is taken first and the median over rounds after it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from bench.variants import VARIANTS

Samples = Mapping[str, Mapping[str, Sequence[float]]]  # row -> variant -> one value a round

# The most that ours may add, as a part of what the official package adds, by shape; and as a part of what the other
# packages add, whatever the shape. Start-up in milliseconds.
GOALS = {"small": 0.4, "typical": 0.4, "stream": 0.25}
OTHERS_GOAL = 0.25
START_UP_MS = 60.0
START_UP, MEMORY = "start-up ms", "memory KiB/10k calls"


class Added(NamedTuple):
    """Cost that a variant adds, over rounds: the median, and half the width of the middle half of the rounds."""

    median: float
    spread: float


def measure_added(values: Sequence[float], base: Sequence[float]) -> Added:
    """Return the median difference of a variant to the run without, round by round, and its spread."""
    differences = [value - zero for value, zero in zip(values, base, strict=True)]
    if len(differences) == 1:
        return Added(differences[0], 0)
    low, middle, high = statistics.quantiles(differences, n=4, method="inclusive")
    return Added(middle, (high - low) / 2)


def ratio(row: Mapping[str, Sequence[float]], variant: str, to: str = "official") -> float | None:
    """Return the cost that a variant adds as a part of another's, None if that is unknown or nothing."""
    if to not in row or variant not in row:
        return None
    other = measure_added(row[to], row["none"]).median
    return measure_added(row[variant], row["none"]).median / other if other > 0 else None


def rows(samples: Samples, variants: Sequence[str]) -> list[list[str]]:
    """Return the table as texts: a row a workload, a column a variant, and how ours stands to its goal."""
    return [
        [name, *(_cell(row, variant) for variant in variants), _verdict(name, row)] for name, row in samples.items()
    ]


def emitted_rows(emitted: Mapping[str, Mapping[str, Mapping[str, float]]], variants: Sequence[str]) -> list[list[str]]:
    """Return the signals that each variant sends for a call, so that nobody looks fast by doing less unseen."""
    shapes = dict.fromkeys(shape for by_shape in emitted.values() for shape in by_shape)
    return [
        [f"{shape} sends", *(_count_signals(emitted.get(v, {}).get(shape, {})) for v in variants), ""]
        for shape in shapes
    ]


def header(variants: Sequence[str], clock: str) -> list[str]:
    """Return the columns' titles."""
    unit = {"cpu": "µs of CPU", "wall": "µs of wall time"}[clock]
    return [f"a call, {unit}", *(VARIANTS[v].title for v in variants), "ours as a part of"]


def as_table(titles: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> Table:
    """Return the table for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    return table


def as_markdown(titles: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    """Return the table for a page."""
    rule = ["---", *("---:" for _ in titles[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (titles, rule, *lines)) + f"\n\n{caption}\n"


def _cell(row: Mapping[str, Sequence[float]], variant: str) -> str:
    if variant not in row:
        return "-"
    if variant == "none":
        return f"{statistics.median(row[variant]):.0f}"
    median, spread = measure_added(row[variant], row["none"])
    part = ratio(row, variant) if variant != "official" else None
    return f"{median:+.0f} ±{spread:.0f}" + ("" if part is None else f" {part:.2f}x")


def _verdict(name: str, row: Mapping[str, Sequence[float]]) -> str:
    if name == START_UP and "ours" in row:
        return _against(measure_added(row["ours"], row["none"]).median, START_UP_MS, "ms", 0)
    goal = GOALS.get(name.split()[-2])
    if goal is None:
        return ""
    parts = {other: ratio(row, "ours", other) for other in row if other not in ("none", "floor", "ours")}
    goals = {other: goal if other == "official" else OTHERS_GOAL for other in parts}
    texts = (f"{VARIANTS[o].title} {_against(part, goals[o], '', 2)}" for o, part in parts.items() if part is not None)
    return ", ".join(texts)


def _against(value: float, goal: float, unit: str, digits: int) -> str:
    return f"{value:.{digits}f}{unit} {'meets' if value <= goal else 'misses'} {goal:g}"


def _count_signals(counts: Mapping[str, Any]) -> str:
    """Return spans with attributes a span, measurements and events, per call."""
    if not counts or not any(counts.values()):
        return "-"
    a_span = counts["attributes"] / counts["spans"] if counts["spans"] else 0
    events = f", {counts['events']:.0f} events" if counts["events"] else ""
    return f"{counts['spans']:.0f} span/{a_span:.0f}, {counts['measurements']:.0f} metrics{events}"
