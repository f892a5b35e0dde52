"""`otel-agentops lock`: a thin shell over the functions of this package."""

from __future__ import annotations

import datetime
import json
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from otel_agentops.lock.check import Report
from otel_agentops.lock.live import Live
from otel_agentops.lock.model import VARIABLES, Lock, LockError

app = typer.Typer(no_args_is_help=True, help="What may run: agentops.lock.")


class Source(str, Enum):
    """Where the live values come from."""

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
    from otel_agentops.lock.update import update as updated

    variables = _variables(variable)
    try:
        live = _live(source, files, url, window)
        made = updated(lock, live, owner, datetime.date.today(), variables, prune)
    except LockError as error:
        _stop(error)
    typer.echo(made.diff or f"{lock}: holds everything that was seen in {live.where}", nl=not made.diff)
    for key in () if prune else made.unseen:
        typer.echo(
            f"note: {_key(key.service, key.variable, key.scope, key.value)} was not seen; --prune takes it out",
            err=True,
        )
    if made.diff and not dry_run:
        made.write()


@app.command()
def check(
    source: From,
    files: Files = None,
    lock: File = Path("agentops.lock"),
    url: Url = "http://127.0.0.1:9090",
    window: Window = "7d",
) -> None:
    """Exit 1 where something runs that is not listed or an entry has expired, 2 where that cannot be said."""
    from otel_agentops.lock.check import check as checked
    from otel_agentops.lock.text import load

    try:
        report = checked(load(lock), _live(source, files, url, window), datetime.date.today())
    except LockError as error:
        _stop(error)
    for line in _lines(report):
        typer.echo(line)
    raise typer.Exit(0 if report.passed else 1)


@app.command()
def fragment(
    lock: Annotated[list[Path] | None, typer.Option(help="A lock file; again for a collector that is shared.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where FILE is not up to date.")] = False,
) -> None:
    """The collector's fragment, which tags and counts what is not listed."""
    from otel_agentops.lock.fragment import text
    from otel_agentops.lock.text import load
    from otel_agentops.slo.generate import write

    paths = lock or [Path("agentops.lock")]
    try:
        made = text([load(path) for path in paths])
    except LockError as error:
        _stop(error)
    if out is None:
        typer.echo(made, nl=False)
    elif not check:
        write({out.name: made}, out.parent)
    elif not (out.exists() and out.read_text("utf-8") == made):
        of = ", ".join(map(str, paths))
        typer.echo(f"{out}: not what follows from {of}; run this without --check and commit it", err=True)
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """The JSON schema of agentops.lock, for editors."""
    typer.echo(json.dumps(Lock.model_json_schema(), indent=2))


def _live(source: Source, files: list[Path] | None, url: str, window: str) -> Live:
    """What is live. A source that knows nothing is no proof that nothing runs."""
    from otel_agentops.lock import prometheus, spans

    if source is Source.SPANS and not files:
        raise LockError("--from spans: name the files that the collector's file exporter wrote")
    live = spans.live(files or []) if source is Source.SPANS else prometheus.live(url, window)
    if not live.counts:
        advice = (
            "its rules are those of `otel-agentops slo generate`"
            if source is Source.PROMETHEUS
            else "look at another file"
        )
        raise LockError(f"{live.where}: nothing was seen; {advice}")
    return live


def _variables(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in VARIABLES:
            raise typer.BadParameter(
                f"{name!r} is no variable; take one of {', '.join(VARIABLES)}", param_hint="--variable"
            )
    return names or list(VARIABLES)


def _lines(report: Report) -> list[str]:
    unlisted = (
        f"unlisted: {_key(*seen)}: {_calls(times, share)} of {seen.scope}" for seen, times, share in report.unlisted
    )
    expired = (
        f"expired: {_key(key.service, *key[:2], key.value)}: approved until {entry.until} by {entry.owner}"
        for key, entry in report.expired
    )
    floating = (
        f"floating: {one.service}: {one.asked} {_STATES[one.state].format(one.answered)}: "
        f"{_calls(one.times, one.share)} of {one.service}"
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


def _key(service: str | None, variable: str, scope: str, value: str | None) -> str:
    return f"{service or 'every service'}: {variable} of {scope}: {value}"


def _calls(times: float, share: float) -> str:
    return f"{times:.0f} times, {share:.1%}"


def _stop(error: LockError) -> NoReturn:
    typer.echo(f"otel-agentops lock: {error}", err=True)
    raise typer.Exit(2)
