"""One command, `otel-agentops`: each subcommand is a thin shell over a function that returns data."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from otel_agentops.version import __version__

if TYPE_CHECKING:
    import typer

EXIT_CODES = (
    "Exit codes: 0 done; 1 a check failed, or input is wrong and standard error says where; 2 the command line is "
    "wrong, or the answer could not be found; of triage also 3 and 4. docs/cli.md has them for each command."
)


def main() -> None:
    """Run the command line, or say what to install if its packages are missing."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f"otel-agentops needs {error.name} on the command line: pip install 'otel-agentops[cli]'")
    _build_app()()


def _build_app() -> typer.Typer:
    import typer
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from otel_agentops.collector.cli import app as collector
    from otel_agentops.lock.cli import app as lock
    from otel_agentops.price_lists.cli import write_price_file
    from otel_agentops.provenance.cli import find_commits, print_identities
    from otel_agentops.recorder.commands.cli import app as record
    from otel_agentops.slo.cli import app as slo
    from otel_agentops.triage.cli import explain_burns
    from otel_agentops.truth.cli import app as truth

    def show_version(is_wanted: bool) -> None:
        if is_wanted:
            typer.echo(__version__)
            raise typer.Exit

    app = typer.Typer(no_args_is_help=True, add_completion=False, epilog=EXIT_CODES)
    wants_version = typer.Option(
        False, "--version", is_eager=True, callback=show_version, help="Print the version and exit."
    )

    @app.callback(help="Which variable moved?")
    def accept_options(version: bool = wants_version) -> None:
        """Take the options of the command itself."""

    app.add_typer(slo, name="slo")
    app.add_typer(collector, name="collector")
    app.add_typer(lock, name="lock")
    app.add_typer(truth, name="truth")
    app.add_typer(record, name="record")
    app.command(name="prices")(write_price_file)
    app.command(name="triage")(explain_burns)
    app.command(name="which")(find_commits)
    app.command(name="identity")(print_identities)
    marks = {"ok": "[green]ok", "note": "[blue]note", "warning": "[yellow]warning", "problem": "[red]problem"}

    @app.command()
    def doctor(
        is_all: bool = typer.Option(False, "--all", help="Name each supported library that is not installed."),
    ) -> None:
        """Show what will be patched, who else is there, what would go wrong. Start it as you start the program."""
        from otel_agentops.doctor import examine_environment

        findings = examine_environment(os.environ)
        table = Table(box=None, pad_edge=False, show_header=False)
        for finding in findings:
            names = f": {', '.join(finding.names)}" if is_all and finding.names else ""
            table.add_row(marks[finding.level], finding.subject, escape(finding.text + names))
            if advice := finding.advice or ("--all names them" if finding.names and not is_all else ""):
                table.add_row("", "", f"[bold]→ {escape(advice)}")
        count = Counter(finding.level for finding in findings)
        Console(highlight=False).print(table, f"\nproblems: {count['problem']}, warnings: {count['warning']}")
        if count["problem"]:
            raise typer.Exit(1)

    @app.command()
    def version() -> None:
        """Print the version of the package."""
        typer.echo(__version__)

    return app


if __name__ == "__main__":
    main()
