"""`otel-agentops truth`: a thin shell over the functions of this package."""

from __future__ import annotations

import sys
import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.command_line import stop_on_error
from otel_agentops.truth.evaluations import read_evaluations
from otel_agentops.truth.labels import read_labels
from otel_agentops.written_files import back_up_file, replace_file

app = typer.Typer(no_args_is_help=True, help="What is true, known late.")
_HEAD_S = 3 * 3600  # Prometheus keeps so much in memory, where a block may not overlap


@app.callback()
def _keep_group() -> None:
    """Keep `backfill` a subcommand while it is the only one."""


class Backend(str, Enum):
    """A backend that reads the labels."""

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
    force: Annotated[bool, typer.Option("--force", help="Overwrite another file; a backup of it is kept.")] = False,
) -> None:
    """Write late labels and late judgements at the time of their tasks."""
    from otel_agentops.slo import indicators, spec
    from otel_agentops.truth import honeycomb, openmetrics

    with stop_on_error("truth", 1, ValueError):
        own = [one.indicator for one in spec.load(slo)] if slo else []
        known = [*indicators.BUILT_IN.values(), *own]
        late_labels = read_labels(files, known)
        verdicts = read_evaluations(files, known) if to is Backend.PROMETHEUS and not counted else []
    if not late_labels and not verdicts:
        sys.exit(f"otel-agentops truth: {', '.join(map(str, files))}: no label here; nothing is written")
    if to is Backend.HONEYCOMB:
        text = honeycomb.render_events(late_labels)
    else:
        name = batch or files[0].name.partition(".")[0]
        text = openmetrics.render_series(late_labels, name, evaluations=verdicts, is_counted=counted)
    with stop_on_error("truth"):
        # Neither format has room for the mark of a generated file.
        if out.is_file() and out.read_bytes() != text.encode():
            if not force:
                raise InputError(f"{out}: is there already and says something else; move it away, or use --force")
            back_up_file(out)
        replace_file(out, text)
    typer.echo(f"{out}: {len(late_labels)} labels" + (f", {len(verdicts)} judgements" if verdicts else ""))
    latest_s = max([label.time_s for label in late_labels] + [verdict.time_s for verdict in verdicts])
    if to is Backend.PROMETHEUS and latest_s > time.time() - _HEAD_S:
        typer.echo("note: some tasks are younger than 3 h; Prometheus has that time in memory: load it later", err=True)
