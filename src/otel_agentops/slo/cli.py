"""`otel-agentops slo`: a thin shell over the functions of this package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Error budgets from slo/*.yaml.")


@app.callback()
def _group() -> None:
    """Keeps `generate` a subcommand while it is the only one."""


@app.command()
def generate(
    slo: Annotated[Path, typer.Option(help="A spec, or a directory of them.")] = Path("slo"),
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    time_scale: Annotated[float, typer.Option(help="Divide all windows, for a demo with a scrape a second.")] = 1.0,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where FILE is not up to date.")] = False,
) -> None:
    """Prometheus rules from slo/*.yaml."""
    if check and out is None:
        sys.exit("otel-agentops slo: --check compares a file; name it with --out")
    text = _text(slo, time_scale)
    if out is None:
        typer.echo(text, nl=False)
    elif not check:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = out.with_name(f"{out.name}.new")  # whole or not at all: Prometheus may reload at any moment
        new.write_text(text)
        new.replace(out)
    elif not (out.exists() and out.read_text() == text):
        sys.exit(f"{out} does not follow from {slo}; run this without --check, or `make gen`, and commit it")


def _text(path: Path, time_scale: float) -> str:
    """The rule file; what had to be changed in it is said."""
    from otel_agentops.slo import prometheus, spec

    try:
        slos = spec.load(path)
        text = prometheus.text(slos, time_scale)
    except (spec.SpecError, ValueError) as error:
        sys.exit(f"otel-agentops slo: {error}")
    for note in prometheus.notes(slos):
        typer.echo(f"note: {note}", err=True)
    return text
