"""A triage as one HTML file that opens offline: the lines of the screen, then the figures behind them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from html import escape

from otel_agentops.triage.facts import Incident
from otel_agentops.triage.report import Report
from otel_agentops.triage.words import format_odds, format_share

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h2 { font-size: 1.1rem; } dl { display: grid; grid-template-columns: 9rem 1fr; gap: .2rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.verdict { font-weight: 700; color: #b00020; } .open { color: #8a5a00; }
table { border-collapse: collapse; font-size: .9rem; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #eee; }
  .verdict { color: #ff6b81; } .open { color: #f0b34a; } }
"""
_COLUMNS = ("variable", "scope", "value", "odds", "explains", "bad with it", "bad without it", "share", "moved")


def render_page(report: Report) -> str:
    """Render a report as a page."""
    at = _format_time(report.at_s)
    sections = [
        f"<section>\n<h2>{escape(finding.lines[0].text)}</h2>\n<dl>\n"
        + "".join(
            f'<dt class="{_choose_class(number, finding.verdict.is_named)}">{escape(line.label)}</dt>'
            f'<dd class="{_choose_class(number, finding.verdict.is_named)}">{escape(line.text)}</dd>\n'
            for number, line in enumerate(finding.lines[1:])
        )
        + f"</dl>\n{_render_evidence(finding.incident)}</section>\n"
        for finding in report.findings
    ]
    calm = "".join(f"<p>{escape(line.text)}</p>\n" for line in report.calm_lines)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Triage at {at}</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>Triage at {at}</h1>
{"".join(sections)}{calm}</body>
</html>
"""


def _choose_class(number: int, is_named: bool) -> str:
    """Return the class of a line; the first one is the verdict."""
    if number:
        return "line"
    return "verdict" if is_named else "verdict open"


def _render_evidence(incident: Incident) -> str:
    """Render a table of all values that moved or that were weighed."""
    rows = (
        (
            one.variable,
            one.scope,
            one.value,
            format_odds(one.odds) if one.odds is not None else "",
            *("" if share is None else format_share(share) for share in (one.explained, one.ratio, one.ratio_others)),
            "" if one.share is None else format_share(one.share),
            _format_time(one.move.time_s) if one.move else "no",
        )
        for one in incident.suspects
    )
    body = "".join(f"<tr>{_render_cells('td', row)}</tr>\n" for row in rows)
    table = f"<table>\n<tr>{_render_cells('th', _COLUMNS)}</tr>\n{body}</table>\n"
    return f"<details>\n<summary>All values that moved or were weighed</summary>\n{table}</details>\n" if body else ""


def _render_cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _format_time(time_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(time_s, datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
