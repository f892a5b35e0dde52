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
    out: Annotated[Path, typer.Option(help="Directory to write to.")] = Path("backends"),
    time_scale: Annotated[float, typer.Option(help="Divide all windows, for a demo with a scrape a second.")] = 1.0,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not up to date.")
    ] = False,
) -> None:
    """Rules, collector fragment and dashboards from slo/*.yaml."""
    from otel_agentops.slo import generate, prometheus, spec

    try:
        slos = spec.load(slo)
        made = generate.files(slos, time_scale)
    except (spec.SpecError, ValueError) as error:
        sys.exit(f"otel-agentops slo: {error}")
    for note in [*spec.notes(slos), *prometheus.notes(slos)]:
        typer.echo(f"note: {note}", err=True)
    if not check:
        generate.write(made, out)
    elif stale := generate.stale(made, out):
        which = ", ".join(map(str, stale))
        sys.exit(f"{which}: not what follows from {slo}; run this without --check and commit the result")
    for path in () if check else made:
        typer.echo(out / path)
