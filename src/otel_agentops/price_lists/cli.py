"""`otel-agentops prices`: a thin shell over the functions of this package."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops.command_line import stop_on_error
from otel_agentops.price_lists import PACKAGE
from otel_agentops.written_files import add_mark, write_generated


def write_price_file(
    provider: Annotated[list[str], typer.Option(help="A provider that you pay, such as openai; may be given again.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A model name that the data do not spell out; may be given again.")
    ] = None,
    update_from: Annotated[
        str, typer.Option(metavar="FILE", help="A newer data.json of genai-prices; else the installed package.")
    ] = PACKAGE,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("prices.json"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that this command did not write.")] = False,
) -> None:
    """Write the prices of providers into a file for OTEL_AGENTOPS_PRICES, and show what changed."""
    try:
        from otel_agentops.price_lists import build
    except ModuleNotFoundError as error:
        sys.exit(
            f"otel-agentops prices needs {error.name}: pip install 'otel-agentops[prices]', with Python 3.11 or newer"
        )
    source = f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
    source = source if update_from == PACKAGE else f"{PACKAGE}, {Path(update_from).name}"
    with stop_on_error("prices"):
        before = build.read_models(out)
        made = build.build_price_list(
            build.load_providers(update_from),
            provider,
            model or (),
            f"{source}, https://github.com/pydantic/genai-prices",
            datetime.datetime.now(datetime.timezone.utc).date(),
        )
        text = add_mark(out.with_suffix(".json").name, json.dumps(made.document, indent=2) + "\n", "prices")
        backup = write_generated(out, text, force).backup
    if backup:
        typer.echo(f"{backup}: a copy of what stood there", err=True)
    for line in () if before is None else build.list_changes(before, made.models):
        typer.echo(line)
    for reason in sorted(set(made.left_out.values())):
        names = (name for name, why in made.left_out.items() if why == reason)
        typer.echo(f"left out: {', '.join(names)}: {reason}", err=True)
    typer.echo(f"{out}: {len(made.models)} model names; date {made.document['date']}, source {made.document['source']}")
    typer.echo(f"to use it: export OTEL_AGENTOPS_PRICES={out.absolute()}")
