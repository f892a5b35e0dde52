"""`otel-agentops collector`: a thin shell over the functions of this package."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops.collector import render as rendering
from otel_agentops.collector import shipped
from otel_agentops.collector.document import ConfigError, Document
from otel_agentops.collector.files import replace

app = typer.Typer(no_args_is_help=True, help="Your collector's config with ours: laid over, edited, checked.")

Configs = Annotated[list[Path], typer.Argument(help="Your config, or several in the order of `--config`.")]
With = Annotated[
    list[str] | None, typer.Option("--with", help="A fragment by name, or a file. Can be given several times.")
]


@app.command()
def fragments(
    out: Annotated[Path | None, typer.Option(help="Directory to write them to, with the overlay.")] = None,
) -> None:
    """The overlay and the fragments that come with the package."""
    for fragment in shipped.fragments():
        typer.echo(f"{fragment.name:28} {fragment.idea}")
    if out is not None:
        for path in [shipped.overlay(), *(fragment.path for fragment in shipped.fragments())]:
            replace(out / path.relative_to(shipped.home()), path.read_text())
        typer.echo(f"written to {out}", err=True)


@app.command()
def render(
    configs: Configs,
    with_: With = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
) -> None:
    """One file that means what several `--config` mean: yours, the overlay, the fragments."""
    with _said():
        text = rendering.rendered(stack(configs, with_ or ()))
    if out is None:
        typer.echo(text, nl=False)
    else:
        replace(out, text)


def stack(configs: Sequence[Path], fragments: Sequence[str]) -> list[Document]:
    """The documents in the order in which a collector is given them."""
    documents = [Document.read(path) for path in configs]
    overlay = shipped.overlay()
    if not any(path.samefile(overlay) for path in configs):
        documents.append(shipped.read(overlay))
    return [*documents, *(shipped.read(shipped.find(name)) for name in fragments)]


@contextmanager
def _said() -> Iterator[None]:
    """What is wrong with a config is one sentence."""
    try:
        yield
    except ConfigError as error:
        sys.exit(f"otel-agentops collector: {error}")
