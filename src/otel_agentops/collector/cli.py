"""`otel-agentops collector`: a thin shell over the functions of this package."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops.collector import binary, environment, shipped, situation, tags
from otel_agentops.collector import check as checking
from otel_agentops.collector import kubernetes as operator
from otel_agentops.collector import render as rendering
from otel_agentops.collector.document import ConfigError, Document
from otel_agentops.collector.files import replace

app = typer.Typer(no_args_is_help=True, help="Your collector's config with ours: laid over, edited, checked.")

Configs = Annotated[list[Path], typer.Argument(help="Your config, or several in the order of `--config`.")]
With = Annotated[
    list[str] | None, typer.Option("--with", help="A fragment by name, or a file. Can be given several times.")
]

Legacy = Annotated[bool, typer.Option("--legacy-names", help="For contrib older than 0.159: components' old names.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def fragments(
    out: Annotated[Path | None, typer.Option(help="Directory to write them to, with the overlay.")] = None,
    legacy_names: Legacy = False,
) -> None:
    """The overlay and the fragments that come with the package."""
    for fragment in shipped.fragments():
        typer.echo(f"{fragment.name:28} {fragment.idea}")
    if out is not None:
        for path in [shipped.overlay(), *(fragment.path for fragment in shipped.fragments())]:
            text = rendering.legacy_text(shipped.read(path)) if legacy_names else path.read_text()
            replace(out / path.relative_to(shipped.home()), text)
        typer.echo(f"written to {out}", err=True)


@app.command()
def render(
    configs: Configs,
    with_: With = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    legacy_names: Legacy = False,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="As resources for the operator.")] = False,
) -> None:
    """One file that means what several `--config` mean: yours, the overlay, the fragments."""
    if kubernetes and legacy_names:
        sys.exit("otel-agentops collector: --kubernetes names an image, and that knows the new names")
    with _said():
        documents = stack(configs, with_ or ())
        text = rendering.rendered(documents, legacy=legacy_names)
        if kubernetes:
            text = operator.resources(shipped.kubernetes().read_text(), documents, os.environ)
            for sentence in operator.unreachable(documents, os.environ):
                typer.echo(f"warning: {sentence}", err=True)
    if out is None:
        typer.echo(text, nl=False)
    else:
        replace(out, text)


@app.command()
def merge(
    config: Annotated[Path, typer.Argument(help="The file of yours that has the pipelines.")],
    with_: With = None,
    pipeline: Annotated[
        list[str] | None, typer.Option(help="A pipeline to edit; all that OTLP feeds, if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the result to.")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Edit CONFIG; a backup is kept beside it.")] = False,
    yes: Yes = False,
) -> None:
    """Put the tags onto the spans that you store: our processors into your own pipelines, nothing else touched."""
    if out is not None and in_place:
        sys.exit("otel-agentops collector: --out or --in-place, not both")
    with _said():
        loose = [shipped.read(shipped.find(name)) for name in with_ or ()]
        before = Document.read(config)
        after = tags.tagged(before, tags.processors(shipped.read(shipped.overlay()), loose), pipeline or ())
        _show(before, after)
        if after.text == before.text:
            typer.echo(f"{config}: nothing to do, the tags are there")
        elif out is None and not in_place:
            typer.echo("nothing is written; --in-place edits the file, --out FILE writes another")
        elif _confirmed(yes, f"write {out or config}?"):
            backup = None if out else _keep(config, before, after)
            replace(out or config, after.text)
            typer.echo(
                f"the backup is {backup}; `otel-agentops collector undo {config}` goes back"
                if backup
                else f"{out} is written"
            )
    if after.text != before.text:
        files = " ".join(
            f"--config {name}" for name in [str(out or config), shipped.OVERLAY, *(one.name for one in loose)]
        )
        typer.echo(f"these processors are defined in our files: otelcol-contrib {files}")


@app.command()
def undo(
    config: Annotated[Path, typer.Argument(help="The file that `merge --in-place` edited.")], yes: Yes = False
) -> None:
    """Take our processors out of your pipelines again; edits of yours since then stay."""
    with _said():
        backup = _backup(config)
        before = Document.read(config)
        after = tags.undone(before, Document.read(backup) if backup.exists() else None)
        _show(before, after)
        if after.text == before.text:
            typer.echo(f"{config}: nothing to do, there is nothing of ours in its pipelines")
        elif _confirmed(yes, f"write {config}?"):
            replace(config, after.text)
            backup.unlink(missing_ok=True)


@app.command()
def check(
    configs: Configs,
    with_: With = None,
    otelcol: Annotated[
        str | None, typer.Option(help="Your collector; else $OTELCOL or otelcol-contrib on PATH.")
    ] = None,
    env_file: Annotated[
        list[Path] | None, typer.Option(help="Variables of the applications and the collector, NAME=value.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for a warning, too.")] = False,
) -> None:
    """What would not start, and what would silently lose data. Exit 1 where there is a problem."""
    with _said():
        environ = dict(os.environ)
        for path in env_file or ():
            environ.update(environment.from_file(Document.text_of(path)))
        found = situation.situation(stack(configs, with_ or ()), environ, binary.find(otelcol, environ))
        findings = checking.examine(found)
    marks = {"ok": "green", "note": "blue", "warning": "yellow", "problem": "red"}
    for finding in findings:
        typer.echo(f"{typer.style(finding.level, fg=marks[finding.level])} {finding.subject}: {finding.text}")
        if finding.advice:
            typer.echo(f"  → {finding.advice}")
    count = Counter(finding.level for finding in findings)
    typer.echo(f"problems: {count['problem']}, warnings: {count['warning']}")
    if count["problem"] or (strict and count["warning"]):
        raise typer.Exit(1)


def stack(configs: Sequence[Path], fragments: Sequence[str]) -> list[Document]:
    """The documents in the order in which a collector is given them; the overlay where none of them holds it."""
    documents = [Document.read(path) for path in configs]
    if not any(document.get(*situation.PIPELINES, situation.COUNTING) for document in documents):
        documents.append(shipped.read(shipped.overlay()))
    return [*documents, *(shipped.read(shipped.find(name)) for name in fragments)]


@contextmanager
def _said() -> Iterator[None]:
    """What is wrong with a config is one sentence."""
    try:
        yield
    except ConfigError as error:
        sys.exit(f"otel-agentops collector: {error}")


def _backup(config: Path) -> Path:
    return config.with_name(f"{config.name}.before-otel-agentops")


def _keep(config: Path, before: Document, after: Document) -> Path:
    """The backup: an older one stays where the config is that one and our processors."""
    backup = _backup(config)
    if not (backup.exists() and tags.is_from(after, Document.read(backup))):
        replace(backup, before.text)
    return backup


def _show(before: Document, after: Document) -> None:
    colors = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    for line in tags.difference(before, after):
        typer.secho(line, fg=colors.get(line[:1]))


def _confirmed(yes: bool, question: str) -> bool:
    """Raises typer.Exit where the answer is no, or nobody is there to give one."""
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        typer.echo(
            "nothing is written" if sys.stdin.isatty() else "nothing is written; --yes where nobody can answer",
            err=True,
        )
        raise typer.Exit(1)
    return True
