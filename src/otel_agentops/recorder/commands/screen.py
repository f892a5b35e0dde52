"""Turns and differences on a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agentops.recorder.commands.diff import CHANGED, UNKNOWN, TextDiff, VariableDiff, compare_words
from otel_agentops.recorder.commands.view import Turn

_COLOURS = {"system": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow", "result": "yellow"}
_STATES = {CHANGED: "bold red", UNKNOWN: "yellow"}
_MARKS = {"ok": "green", "note": "blue", "problem": "red"}
_INDENT = "    "
_WIDE = 100_000  # columns of a table that goes into a file or another program


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], whole: Sequence[str] = ()) -> None:
    """Print rows; a line each unless a terminal is too narrow.

    Args:
        columns: Names; all empty for a table without a head.
        rows: Cells; None for an empty one.
        whole: Columns that stay on one line, because they are copied from there.
    """
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDE
    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        # An identity that is cut is of no use.
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        cells = (mask_controls("" if cell is None else str(cell)) for cell in row)
        table.add_row(*(Text(cell, _MARKS.get(cell, "")) for cell in cells))
    console.print(table)


def print_turns(turns: Sequence[Turn], source: Mapping[str, Any]) -> None:
    """Print a trace as a conversation."""
    console = Console(highlight=False, soft_wrap=True)
    if source.get("trace_id"):
        console.print(Text(f"trace {source['trace_id']}", "bold"))
    for turn in turns:
        number = "" if turn.number is None else f"#{turn.number} "
        console.print(Text(f"\n{turn.time}  {number}{mask_controls(turn.title)}", "bold"))
        facts = ", ".join(f"{name} {value}" for name, value in turn.facts.items() if "sha256" not in value)
        console.print(Text(f"{_INDENT}{mask_controls(facts)}  [{turn.ref}]", "dim"))
        for note in turn.notes:
            console.print(Text(f"{_INDENT}({mask_controls(note)})", "dim italic"))
        for line in turn.lines:
            words = mask_controls(line.text).replace("\n", f"\n{_INDENT}{_INDENT}")
            console.print(Text(f"{_INDENT}{mask_controls(line.role)}: ", _COLOURS.get(line.role, "bold")) + Text(words))


def print_diff(variables: Sequence[VariableDiff], texts: Sequence[TextDiff]) -> None:
    """Print which variables differ, then which words."""
    console = Console(highlight=False, soft_wrap=True)
    for one in variables:
        values = ", ".join(one.before) or "unknown"
        if one.before != one.after:
            values += f"  ⇒  {', '.join(one.after) or 'unknown'}"
        line = Text(f"{one.variable:<9}") + Text(f"{one.state:<10}", _STATES.get(one.state, "green"))
        console.print(line + Text(mask_controls(values)))
    for text in texts:
        console.print(Text(f"\n{mask_controls(text.place)}", "bold"))
        words = Text(_INDENT)
        for old, new in compare_words(text.before or "", text.after or ""):
            if old == new:
                words.append(mask_controls(old))
            else:
                words.append(f"[-{mask_controls(old)}-]" if old else "", "red")
                words.append(f"{{+{mask_controls(new)}+}}" if new else "", "green")
        console.print(words)


def mask_controls(text: str) -> str:
    """Return a text without what a terminal would obey: recorded words may hold escapes."""
    return "".join(
        letter if letter.isprintable() or letter in "\t\n" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
