"""`otel-agentops slo`: the command line over the functions of this package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otel_agentops.command_line import stop_on_error
from otel_agentops.slo.units import EVALUATION_DELAY_S

if TYPE_CHECKING:
    from otel_agentops.slo import Slo
    from otel_agentops.written_files import Outcome

app = typer.Typer(no_args_is_help=True, help="Error budgets from slo/*.yaml.")
imports = typer.Typer(no_args_is_help=True, help="Objectives from the format of another tool.")
exports = typer.Typer(no_args_is_help=True, help="Objectives in the format of another tool.")
app.add_typer(imports, name="import")
app.add_typer(exports, name="export")


class RuleFormat(str, Enum):
    """A format of the Prometheus rules."""

    PLAIN = "plain"
    PROMETHEUSRULE = "prometheusrule"


Specs = Annotated[Path, typer.Option("--slo", help="A spec, or a directory of them.")]
Out = Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files of others, too; a backup of each is kept.")]


@app.command()
def generate(
    slo: Specs = Path("slo"),
    out: Annotated[Path, typer.Option(help="Directory to write to.")] = Path("backends"),
    time_scale: Annotated[float, typer.Option(help="Divide all windows, for a demo with a scrape a second.")] = 1.0,
    evaluation_delay: Annotated[
        float,
        typer.Option(help="Seconds for which a sample may be on its way to Prometheus before the rules see it.", min=0),
    ] = EVALUATION_DELAY_S,
    formats: Annotated[
        list[RuleFormat],
        typer.Option("--format", help="Of the rules; prometheusrule: for the Prometheus Operator. May be repeated."),
    ] = [RuleFormat.PLAIN],  # noqa: B006
    runbook_url: Annotated[
        str,
        typer.Option(
            envvar="OTEL_AGENTOPS_RUNBOOK_URL",
            help="Where people open runbooks/, for the alerts' runbook_url; {alert} stands for an alert's name.",
        ),
    ] = "",
    grafana_url: Annotated[
        str, typer.Option(envvar="OTEL_AGENTOPS_GRAFANA_URL", help="Your Grafana, for the alerts' dashboard_url.")
    ] = "",
    tempo_uid: Annotated[
        str,
        typer.Option(
            envvar="OTEL_AGENTOPS_TEMPO_UID",
            help="The uid of its data source of Tempo, for the alerts' traces_url.",
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not up to date.")
    ] = False,
    force: Force = False,
) -> None:
    """Generate rules, collector fragment and dashboards from slo/*.yaml."""
    from otel_agentops.slo import generate, grafana, honeycomb, needs, spec
    from otel_agentops.slo.links import Links
    from otel_agentops.written_files import back_up_file

    with stop_on_error("slo", 1, ValueError):
        slos = spec.load(slo)
        links = Links(runbook_url, grafana_url, tempo_uid)
        texts = generate.files(slos, time_scale, links, [each.value for each in formats], evaluation_delay)
        for note in [*_list_notes(slos), *grafana.notes(), *honeycomb.notes(slos)]:
            typer.echo(f"note: {note}", err=True)
        superseded = honeycomb.find_superseded_files(out)
        if check:
            if stale := [*generate.find_stale_files(texts, out), *superseded]:
                which = ", ".join(map(str, stale))
                sys.exit(f"{which}: not what follows from {slo}; run this without --check and commit the result")
            return
        _report_files(generate.write(texts, out, force))
        for need in needs.list_needs(slos):
            typer.echo(f"note: {need}", err=True)
        for path in superseded:
            back_up_file(path)
            path.unlink()


@app.command()
def check(
    slo: Specs = Path("slo"),
    collector: Annotated[
        Path | None, typer.Option(help="The collector to ask; default: $OTELCOL, otelcol-contrib or otelcol on PATH.")
    ] = None,
    without_collector: Annotated[
        bool, typer.Option("--without-collector", help="Do not ask a collector, and exit 0 without one.")
    ] = False,
) -> None:
    """Check every spec, and let a collector check its conditions; exit 2 if there is no collector to ask."""
    from otel_agentops.slo import conditions, spec

    with stop_on_error("slo", 1, ValueError):
        slos = spec.load(slo)
        for note in _list_notes(slos):
            typer.echo(f"note: {note}", err=True)
    otelcol = None if without_collector else _find_collector(collector)
    if otelcol and (wrong := conditions.list_refused(slos, otelcol)):
        sys.exit("\n".join(f"otel-agentops slo: {sentence}" for sentence in wrong))
    answer = f"{otelcol.name} takes their conditions" if otelcol else "their conditions are not checked by a collector"
    typer.echo(f"{len(slos)} objective{'s' if len(slos) != 1 else ''}; {answer}")
    if otelcol is None and not without_collector:
        raise typer.Exit(2)


@app.command()
def schema(
    out: Out = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where FILE is not up to date.")] = False,
    force: Force = False,
) -> None:
    """Print or write the JSON schema of a spec, for editors."""
    from otel_agentops.slo.schema import render_schema
    from otel_agentops.written_files import is_current

    if not check:
        _write_text(render_schema(), out, force)
    elif out is None:
        sys.exit("otel-agentops slo: --check compares a file; name it with --out")
    else:
        with stop_on_error("slo"):
            if not is_current(out, render_schema()):
                sys.exit(f"{out}: not the schema of this version; run this without --check and commit the result")


@imports.command("openslo")
def import_openslo(
    file: Annotated[Path, typer.Argument(help="Objects of OpenSLO v1.")],
    out: Annotated[Path, typer.Option(help="Directory to write specs to.")] = Path("slo"),
    sli: Annotated[list[str], typer.Option(help="NAME=SLI: their indicator, and what a spec says instead.")] = [],  # noqa: B006
    owner: Annotated[str | None, typer.Option(help="Owner of those that name none.")] = None,
    runbook: Annotated[str | None, typer.Option(help="Runbook of those that name none.")] = None,
) -> None:
    """Import specs from OpenSLO v1; exit with 1 if something cannot be mapped."""
    from otel_agentops.slo.exchange import openslo_read, own
    from otel_agentops.written_files import replace_file

    with stop_on_error("slo", 1, ValueError):
        imported = openslo_read.read_file(file, openslo_read.Additions(_parse_pairs(sli), owner, runbook))
        for name, text in own.plan_files(imported.slos, out).items():
            replace_file(out / name, text)
            typer.echo(out / name)
    for note in imported.notes:
        typer.echo(f"note: {note}", err=True)
    if imported.problems:
        sys.exit("\n".join(f"otel-agentops slo: {problem}" for problem in imported.problems))


def _parse_pairs(texts: list[str]) -> dict[str, object]:
    from otel_agentops.slo.exchange.openslo_read import parse_value

    if wrong := [text for text in texts if "=" not in text]:
        raise ValueError(f"--sli {wrong[0]}: is no NAME=SLI; write for instance --sli errors=task_completed")
    return {name.strip(): parse_value(text) for name, _, text in (each.partition("=") for each in texts)}


@exports.command("openslo")
def export_openslo(slo: Specs = Path("slo"), out: Out = None, force: Force = False) -> None:
    """Export OpenSLO v1, over the counters of the collector."""
    from otel_agentops.slo import spec
    from otel_agentops.slo.exchange import openslo

    with stop_on_error("slo", 1, ValueError):
        text = openslo.render_text(spec.load(slo))
    _write_text(text, out, force)


@exports.command("sloth")
def export_sloth(slo: Specs = Path("slo"), out: Out = None, force: Force = False) -> None:
    """Export sloth's spec, over the counters of the collector."""
    from otel_agentops.slo import spec
    from otel_agentops.slo.exchange import sloth

    with stop_on_error("slo"):
        slos = spec.load(slo)
    _write_text(sloth.render_text(slos), out, force)
    for note in sloth.list_notes(slos):
        typer.echo(f"note: {note}", err=True)


def _write_text(text: str, out: Path | None, force: bool) -> None:
    """Write a generated text, or print it if no file is named."""
    from otel_agentops.written_files import write_generated

    if out is None:
        typer.echo(text, nl=False)
        return
    with stop_on_error("slo"):
        _report_files([write_generated(out, text, force)])


def _report_files(outcomes: Sequence[Outcome]) -> None:
    """Print what was written, and where the old content of an edited file is."""
    for outcome in outcomes:
        typer.echo(outcome.path)
        if outcome.backup:
            typer.echo(f"note: {outcome.path}: its old content is kept as {outcome.backup}", err=True)


def _list_notes(slos: Sequence[Slo]) -> list[str]:
    from otel_agentops.slo import burn, ground_truth, spec

    return [*spec.list_notes(slos), *burn.list_rescalings(slos), *ground_truth.list_incomparable(slos)]


def _find_collector(option: Path | None) -> Path | None:
    command = option or os.environ.get("OTELCOL")
    path = shutil.which(command) if command else shutil.which("otelcol-contrib") or shutil.which("otelcol")
    if command and not path:
        sys.exit(f"otel-agentops slo: {command} is no program that can be run; correct --collector or $OTELCOL")
    return Path(path) if path else None
