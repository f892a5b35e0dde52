"""`otel-agentops triage`: a thin shell over the functions of this package."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops.command_line import parse_time, stop_on_error
from otel_agentops.prometheus_api import PrometheusClient, PrometheusError

_TIMES = "A time such as 2026-11-12T03:30Z (UTC if it names no zone), or how long ago: 90m, 2d."


def explain_burns(
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="The Prometheus that evaluates the rules.")
    ] = "http://127.0.0.1:9090",
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this environment.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help=f"Begin of the incident. {_TIMES}")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Time to look at; else now.")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON: facts, verdict and text.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page that opens offline.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a page that this command did not write.")] = False,
    is_schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of --json and exit.")] = False,
    time_scale: Annotated[float, typer.Option(min=1, max=600, hidden=True)] = 1.0,
) -> None:
    """Say why a budget burns: which value explains the bad answers, what moved, what is sick, what to do.

    Exit 0: named, or nothing burns. 3: it cannot tell. 4: no data.
    """
    from rich.console import Console

    from otel_agentops.triage.page import render_page
    from otel_agentops.triage.read import Question, list_services, read_snapshot
    from otel_agentops.triage.report import Outcome, build_report, build_schema, render_json
    from otel_agentops.triage.screen import show_report
    from otel_agentops.written_files import add_mark, write_generated

    if is_schema:
        typer.echo(json.dumps(build_schema(), indent=2))
        raise typer.Exit
    now_s = time.time()
    at_s = now_s if end is None else parse_time(end, now_s, "--to")
    from_s = None if start is None else parse_time(start, now_s, "--from")
    if from_s is not None and from_s >= at_s:
        raise typer.BadParameter("is not before the time to look at", param_hint="--from")
    with stop_on_error("triage", 2, PrometheusError), closing(PrometheusClient(prometheus)) as client:
        report = build_report(read_snapshot(client, Question(at_s, from_s, service, environment, time_scale)))
        services = list_services(client, at_s) if report.outcome is Outcome.NO_DATA else []
        if html is not None:
            page = add_mark(f"{html.stem}.html", render_page(report), "triage")
            if backup := write_generated(html, page, force).backup:
                typer.echo(f"note: {html}: its old content is kept as {backup}", err=True)
    if is_json:
        typer.echo(render_json(report), nl=False)
    else:
        show_report(report, Console(highlight=False))
    if report.outcome is Outcome.NO_DATA:
        advice = (
            f"it knows {', '.join(services)}"
            if services
            else "load the rules of `otel-agentops slo generate` there, and let it scrape the collector"
        )
        chosen = f" of {service or 'any service'}" + (f" in {environment}" if environment else "")
        typer.echo(
            f"otel-agentops triage: {prometheus}: no events{chosen} were counted within a day; {advice}", err=True
        )
    raise typer.Exit(report.outcome.exit_code)
