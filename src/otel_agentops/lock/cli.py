"""`otel-agentops lock`: a thin shell over the functions of this package."""

from __future__ import annotations

import datetime
import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.lock.check import Report
from otel_agentops.lock.live import Live
from otel_agentops.lock.model import VARIABLES, Lock

app = typer.Typer(no_args_is_help=True, help="What may run: agentops.lock.")


class Source(str, Enum):
    """A source of live values."""

    PROMETHEUS = "prometheus"
    SPANS = "spans"


From = Annotated[Source, typer.Option("--from", help="A Prometheus with the rules, or OTLP-JSON files.")]
Url = Annotated[str, typer.Option(help="The Prometheus.")]
Window = Annotated[str, typer.Option(help="How far to look back in Prometheus.")]
Files = Annotated[list[Path] | None, typer.Argument(help="Lines of the collector's file exporter, traces and logs.")]
File = Annotated[Path, typer.Option("--lock", help="The lock file.")]


@app.command()
def update(
    source: From,
    files: Files = None,
    lock: File = Path("agentops.lock"),
    url: Url = "http://127.0.0.1:9090",
    window: Window = "7d",
    owner: Annotated[str | None, typer.Option(help="Who answers for the new entries.")] = None,
    variable: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Take out what was not seen.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change and write nothing.")] = False,
) -> None:
    """Add what is live and missing, and show the change. What is there stays as it is."""
    from otel_agentops.lock.update import update_lock

    for name in variable or ():
        if name not in VARIABLES:
            text = f"{name!r} is no variable; take one of {', '.join(VARIABLES)}"
            raise typer.BadParameter(text, param_hint="--variable")
    with stop_on_error("lock", 2):
        live = _read_live(source, files, url, window)
        change = update_lock(lock, live, owner, datetime.date.today(), variable or list(VARIABLES), prune)
    typer.echo(change.diff or f"{lock}: holds everything that was seen in {live.source}", nl=not change.diff)
    for key in () if prune else change.unseen:
        typer.echo(
            f"note: {_format_key(key.service, key.variable, key.scope, key.value)} was not seen; --prune takes it out",
            err=True,
        )
    if change.diff and not dry_run:
        with stop_on_error("lock", 2):
            change.write_file()


@app.command()
def check(
    source: From,
    files: Files = None,
    lock: File = Path("agentops.lock"),
    url: Url = "http://127.0.0.1:9090",
    window: Window = "7d",
) -> None:
    """Check what runs; exit 1 if a value is not listed or an entry has expired, 2 if that cannot be said."""
    from otel_agentops.lock.check import check_lock
    from otel_agentops.lock.text import load

    with stop_on_error("lock", 2):
        report = check_lock(load(lock), _read_live(source, files, url, window), datetime.date.today())
    for line in _format_report(report):
        typer.echo(line)
    raise typer.Exit(0 if report.is_passed else 1)


@app.command()
def fragment(
    lock: Annotated[list[Path] | None, typer.Option(help="A lock file; again for a collector that is shared.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where FILE is not up to date.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite another file; a backup of it is kept.")] = False,
) -> None:
    """Write the collector's fragment, which tags and counts what is not listed."""
    from otel_agentops.lock.fragment import render_text
    from otel_agentops.lock.text import load
    from otel_agentops.written_files import is_current, write_generated

    paths = lock or [Path("agentops.lock")]
    with stop_on_error("lock", 2):
        text = render_text([load(path) for path in paths])
        if out is None:
            typer.echo(text, nl=False)
        elif not check:
            if backup := write_generated(out, text, force).backup:
                typer.echo(f"note: {out}: its old content is kept as {backup}", err=True)
        elif not is_current(out, text):
            sources = ", ".join(map(str, paths))
            typer.echo(f"{out}: not what follows from {sources}; run this without --check and commit it", err=True)
            raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON schema of agentops.lock, for editors."""
    typer.echo(json.dumps(Lock.model_json_schema(), indent=2))


def _read_live(source: Source, files: list[Path] | None, url: str, window: str) -> Live:
    """Read what is live; refuse a source that knows nothing, which is no proof that nothing runs."""
    from otel_agentops.lock import prometheus, spans

    if source is Source.SPANS and not files:
        raise InputError("--from spans: name the files that the collector's file exporter wrote")
    live = spans.read_live(files or []) if source is Source.SPANS else prometheus.read_live(url, window)
    if not live.counts:
        advice = (
            "its rules are those of `otel-agentops slo generate`"
            if source is Source.PROMETHEUS
            else "look at another file"
        )
        raise InputError(f"{live.source}: nothing was seen; {advice}")
    return live


def _format_report(report: Report) -> list[str]:
    unlisted = (
        f"unlisted: {_format_key(*live_value)}: {times:.0f} times, {share:.1%} of {live_value.scope}"
        for live_value, times, share in report.unlisted
    )
    expired = (
        f"expired: {_format_key(key.service, *key[:2], key.value)}: approved until {entry.until} by {entry.owner}"
        for key, entry in report.expired
    )
    floating = (
        f"floating: {one.service}: {one.request_model} {_STATES[one.state].format(one.response_model)}: "
        f"{one.times:.0f} times, {one.share:.1%} of {one.service}"
        for one in report.floating
    )
    unwatched = (
        f"note: {service}: {variable} has no entry and is not checked" for service, variable in report.unwatched
    )
    return [*unlisted, *expired, *floating, *unwatched]


_STATES = {
    "resolved": "is an alias, {} answered",
    "echoed": "came back as it was and has no date, which proves nothing",
    "unreported": "was answered by nobody knows which model",
}


def _format_key(service: str | None, variable: str, scope: str, value: str | None) -> str:
    return f"{service or 'every service'}: {variable} of {scope}: {value}"
