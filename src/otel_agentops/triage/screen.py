"""A triage on a terminal: lines with a column of labels; plain text where the output is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agentops.triage.report import Report

LABEL_WIDTH = 14
MOST_CALM = 10  # services without a burn that are listed


def show_report(report: Report, console: Console) -> None:
    """Print a report, with colours and wrapped lines if there is a terminal."""
    if not console.is_terminal:
        console.out(render_text(report), end="", highlight=False)
        return
    for finding in report.findings:
        head, verdict, *others = finding.lines
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=LABEL_WIDTH)
        grid.add_column(overflow="fold")
        style = "bold red" if finding.verdict.is_named else "bold yellow"
        grid.add_row(Text(verdict.label, style), Text(verdict.text, style))
        for line in others:
            grid.add_row(Text(line.label, "bold"), Text(line.text, "green" if line.label == "do" else ""))
        console.print(Text(head.text, "bold"), grid, "")
    for text in _list_calm(report):
        console.print(Text(text))


def render_text(report: Report) -> str:
    """Render a report as plain text, a line of the screen in one line."""
    blocks = [
        [head.text, *(f"  {line.label:{LABEL_WIDTH}}{line.text}" for line in lines)]
        for head, *lines in (finding.lines for finding in report.findings)
    ]
    blocks += [_list_calm(report)] if report.calm else []
    return "\n".join("".join(f"{text}\n" for text in block) for block in blocks)


def _list_calm(report: Report) -> list[str]:
    texts = [line.text for line in report.calm_lines]
    more = len(texts) - MOST_CALM
    return [*texts[:MOST_CALM], *([f"nothing burns in {more} more services"] if more > 0 else [])]
