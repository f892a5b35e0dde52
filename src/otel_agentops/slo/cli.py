"""`otel-agentops slo`: the command line over the functions of this package."""

from __future__ import annotations

import os
import shutil
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from otel_agentops.slo import Slo

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


@app.command()
def generate(
    slo: Specs = Path("slo"),
    out: Annotated[Path, typer.Option(help="Directory to write to.")] = Path("backends"),
    time_scale: Annotated[float, typer.Option(help="Divide all windows, for a demo with a scrape a second.")] = 1.0,
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
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not up to date.")
    ] = False,
) -> None:
    """Generate rules, collector fragment and dashboards from slo/*.yaml."""
    from otel_agentops.slo import burn, generate, grafana, ground_truth, honeycomb, spec
    from otel_agentops.slo.links import Links

    try:
        slos = spec.load(slo)
        texts = generate.files(slos, time_scale, Links(runbook_url, grafana_url), [each.value for each in formats])
    except (spec.SpecError, ValueError) as error:
        sys.exit(f"otel-agentops slo: {error}")
    for note in [
        *spec.list_notes(slos),
        *burn.list_rescalings(slos),
        *ground_truth.list_incomparable(slos),
        *grafana.notes(),
        *honeycomb.notes(slos),
    ]:
        typer.echo(f"note: {note}", err=True)
    if not check:
        generate.write(texts, out)
        for superseded in honeycomb.find_superseded_files(out):
            superseded.unlink()
    elif stale := [*generate.find_stale_files(texts, out), *honeycomb.find_superseded_files(out)]:
        which = ", ".join(map(str, stale))
        sys.exit(f"{which}: not what follows from {slo}; run this without --check and commit the result")
    for path in () if check else texts:
        typer.echo(out / path)


@app.command()
def check(
    slo: Specs = Path("slo"),
    collector: Annotated[
        Path | None, typer.Option(help="The collector to ask; default: $OTELCOL, otelcol-contrib or otelcol on PATH.")
    ] = None,
) -> None:
    """Check every spec, and let a collector check its conditions."""
    from otel_agentops.slo import burn, conditions, ground_truth, spec

    slos = _load_slos(slo)
    try:
        notes = [*spec.list_notes(slos), *burn.list_rescalings(slos), *ground_truth.list_incomparable(slos)]
    except ValueError as error:  # no alert is left for this objective
        sys.exit(f"otel-agentops slo: {error}")
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    otelcol = _find_collector(collector)
    if otelcol and (wrong := conditions.list_refused(slos, otelcol)):
        sys.exit("\n".join(f"otel-agentops slo: {sentence}" for sentence in wrong))
    answer = f"; {otelcol.name} takes their conditions" if otelcol else "; no collector here to ask about conditions"
    typer.echo(f"{len(slos)} objective{'s' if len(slos) != 1 else ''}{answer}")


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where FILE is not up to date.")] = False,
) -> None:
    """Print or write the JSON schema of a spec, for editors."""
    from otel_agentops.slo import generate
    from otel_agentops.slo.schema import render_schema

    if check and out is None:
        sys.exit("otel-agentops slo: --check compares a file; name it with --out")
    if out is None:
        typer.echo(render_schema(), nl=False)
    elif not check:
        generate.write({out.name: render_schema()}, out.parent)
    elif generate.find_stale_files({out.name: render_schema()}, out.parent):
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
    from otel_agentops.slo import generate
    from otel_agentops.slo.exchange import openslo_read, own
    from otel_agentops.slo.spec import SpecError

    try:
        imported = openslo_read.read_file(file, openslo_read.Additions(_parse_pairs(sli), owner, runbook))
        texts = own.plan_files(imported.slos, out)
    except (SpecError, ValueError) as error:
        sys.exit(f"otel-agentops slo: {error}")
    generate.write(texts, out)
    for name in texts:
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


Out = Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")]


@exports.command("openslo")
def export_openslo(slo: Specs = Path("slo"), out: Out = None) -> None:
    """Export OpenSLO v1, over the counters of the collector."""
    from otel_agentops.slo.exchange import openslo

    slos = _load_slos(slo)
    try:
        _write_text(openslo.render_text(slos), out)
    except ValueError as error:
        sys.exit(f"otel-agentops slo: {error}")


@exports.command("sloth")
def export_sloth(slo: Specs = Path("slo"), out: Out = None) -> None:
    """Export sloth's spec, over the counters of the collector."""
    from otel_agentops.slo.exchange import sloth

    slos = _load_slos(slo)
    _write_text(sloth.render_text(slos), out)
    for note in sloth.list_notes(slos):
        typer.echo(f"note: {note}", err=True)


def _write_text(text: str, out: Path | None) -> None:
    from otel_agentops.slo import generate

    if out is None:
        typer.echo(text, nl=False)
    else:
        generate.write({out.name: text}, out.parent)


def _load_slos(path: Path) -> list[Slo]:
    from otel_agentops.slo import spec

    try:
        return spec.load(path)
    except spec.SpecError as error:
        sys.exit(f"otel-agentops slo: {error}")


def _find_collector(option: Path | None) -> Path | None:
    command = option or os.environ.get("OTELCOL")
    imported = shutil.which(command) if command else shutil.which("otelcol-contrib") or shutil.which("otelcol")
    if command and not imported:
        sys.exit(f"otel-agentops slo: {command} is no program that can be run; correct --collector or $OTELCOL")
    return Path(imported) if imported else None
