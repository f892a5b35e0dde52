"""`otel-agentops truth`: a thin shell over the functions of this package."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops.truth.labels import Label

app = typer.Typer(no_args_is_help=True, help="What is true, known late.")
_HEAD = 3 * 3600  # seconds that Prometheus keeps in memory, where a block may not overlap


@app.callback()
def _group() -> None:
    """Keeps `backfill` a subcommand while it is the only one."""


class Backend(str, Enum):
    """Who is to read it."""

    PROMETHEUS = "prometheus"
    HONEYCOMB = "honeycomb"


@app.command()
def backfill(
    files: Annotated[list[Path], typer.Argument(help="JSON lines: of the file exporter, or receipts with verdicts.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    to: Annotated[Backend, typer.Option(help="Who is to read it.")] = Backend.PROMETHEUS,
    slo: Annotated[Path | None, typer.Option(help="Specs, for indicators of your own.")] = None,
    batch: Annotated[str | None, typer.Option(help="Name of this part of the truth; the first file's name.")] = None,
    counted: Annotated[
        bool, typer.Option("--counted", help="The collector counted these labels when they came: no budget sums them.")
    ] = False,
) -> None:
    """Late labels, at the time of their tasks."""
    from otel_agentops.slo import generate, indicators, spec
    from otel_agentops.truth import honeycomb, labels, openmetrics

    try:
        own = [one.indicator for one in spec.load(slo)] if slo else []
        found = labels.read(files, [*indicators.BUILT_IN.values(), *own])
    except (labels.TruthError, spec.SpecError, ValueError) as error:
        sys.exit(f"otel-agentops truth: {error}")
    if not found:
        sys.exit(f"otel-agentops truth: {', '.join(map(str, files))}: no label here; nothing is written")
    name = batch or files[0].name.partition(".")[0]
    made = honeycomb.text(found) if to is Backend.HONEYCOMB else openmetrics.text(found, name, counted=counted)
    generate.write({out.name: made}, out.parent)
    typer.echo(f"{out}: {len(found)} labels")
    if to is Backend.PROMETHEUS:
        _warn(found)


def _warn(found: Sequence[Label]) -> None:
    if found[-1].time > time.time() - _HEAD:
        typer.echo("note: some tasks are younger than 3 h; Prometheus has that time in memory: load it later", err=True)
