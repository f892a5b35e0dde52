"""`otel-agentops collector`: a thin shell over the functions of this package."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._yaml import InputError, read_text
from otel_agentops.collector import binary, environment, receivers, shipped, situation, tags
from otel_agentops.collector import check as checking
from otel_agentops.collector import kubernetes as operator
from otel_agentops.collector import render as rendering
from otel_agentops.collector.document import WORDING, Document
from otel_agentops.collector.origins import explain_differences
from otel_agentops.written_files import (
    Outcome,
    add_mark,
    back_up_file,
    replace_file,
    write_all_generated,
    write_generated,
)

app = typer.Typer(no_args_is_help=True, help="Your collector's config with ours: laid over, edited, checked.")

Configs = Annotated[list[Path], typer.Argument(help="Your config, or several in the order of `--config`.")]
With = Annotated[
    list[str] | None, typer.Option("--with", help="A fragment by name, or a file. Can be given several times.")
]

Force = Annotated[bool, typer.Option("--force", help="Overwrite what otel-agentops did not write; keep a backup.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def fragments(
    out: Annotated[Path | None, typer.Option(help="Directory to write them to, with the overlay.")] = None,
    force: Force = False,
) -> None:
    """List the overlay's fragments that come with the package, or write them."""
    for fragment in shipped.list_fragments():
        typer.echo(f"{fragment.name:28} {fragment.idea}")
    if out is not None:
        home = shipped.find_home()
        sources = [home / shipped.OVERLAY, *(fragment.path for fragment in shipped.list_fragments())]
        texts = {
            out / path.relative_to(home): add_mark(path.name, path.read_text("utf-8"), "collector fragments")
            for path in sources
        }
        with _exit_on_error():
            _show_backups(write_all_generated(texts, force))
        typer.echo(f"written to {out}", err=True)


@app.command()
def render(
    configs: Configs,
    with_: With = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed where it is left out.")] = None,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="As resources for the operator.")] = False,
    force: Force = False,
) -> None:
    """Write one file that means what several `--config` mean: yours, the overlay, the fragments."""
    with _exit_on_error():
        documents = stack_documents(configs, with_ or ())
        text = rendering.render_documents(documents)
        if kubernetes:
            text = operator.build_resources(
                (shipped.find_home() / shipped.KUBERNETES).read_text(), documents, os.environ
            )
            text = add_mark((out or Path("it.yaml")).name, text, "collector render --kubernetes")
            for sentence in operator.find_unreachable(documents, os.environ):
                typer.echo(f"warning: {sentence}", err=True)
        _warn_uncounted(documents)
        if out is None:
            typer.echo(text, nl=False)
        else:
            _show_backups([write_generated(out, text, force)])


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
    with _exit_on_error():
        if out is None and not in_place:
            typer.echo("nothing is written: this shows the edit; --in-place makes it, --out FILE writes another file")
        loose = [shipped.read_config(shipped.find_fragment(name)) for name in with_ or ()]
        before = Document.read_file(config)
        after = tags.add_tags(before, tags.list_tag_processors(shipped.read_overlay(), loose), pipeline or ())
        _show_diff(before, after)
        if after.text == before.text:
            typer.echo(f"{config}: nothing to do, the tags are there")
        elif (out or in_place) and _confirm(yes, f"write {out or config}?"):
            # The backup of `undo` is the config without our processors; another file is simply kept.
            backup = back_up_file(out) if out else _keep_backup(config, before, after)
            replace_file(out or config, after.text)
            if out:
                typer.echo(f"{out} is written" + (f"; what stood there is {backup}" if backup else ""))
            else:
                typer.echo(f"the backup is {backup}; `otel-agentops collector undo {config}` goes back")
        for id_ in () if pipeline else tags.list_unedited(after):
            typer.echo(f"{id_} is left as it is, no otlp receiver feeds it; `--pipeline {id_}` edits it")
        _warn_uncounted([after, shipped.read_overlay()])
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
    with _exit_on_error():
        backup = _name_backup(config)
        before = Document.read_file(config)
        after = tags.undo_tags(before, Document.read_file(backup) if backup.exists() else None)
        _show_diff(before, after)
        if after.text == before.text:
            typer.echo(f"{config}: nothing to do, there is nothing of ours in its pipelines")
        elif _confirm(yes, f"write {config}?"):
            replace_file(config, after.text)
            for sentence in explain_differences(before, after):
                typer.echo(f"note: {sentence}", err=True)
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
    without_collector: Annotated[
        bool, typer.Option("--without-collector", help="Do not ask a collector, and exit 0 without one.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for a warning, too.")] = False,
) -> None:
    """Find what would not start, and what would silently lose data.

    Exit 1 if there is a problem, 2 if there is none but no collector could be asked.
    """
    with _exit_on_error():
        environ = dict(os.environ)
        for path in env_file or ():
            environ.update(environment.parse_env_file(read_text(path, WORDING)))
        documents = stack_documents(configs, with_ or ())
        collector = None if without_collector else binary.find_collector(otelcol, environ)
        findings = checking.run_checks(situation.build_situation(documents, environ, collector))
    marks = {"ok": "green", "note": "blue", "warning": "yellow", "problem": "red"}
    for finding in findings:
        typer.echo(f"{typer.style(finding.level, fg=marks[finding.level])} {finding.subject}: {finding.text}")
        if finding.advice:
            typer.echo(f"  → {finding.advice}")
    count = Counter(finding.level for finding in findings)
    unasked = "" if collector else "; not checked by a collector, which may refuse the files"
    typer.echo(f"problems: {count['problem']}, warnings: {count['warning']}{unasked}")
    if count["problem"] or (strict and count["warning"]):
        raise typer.Exit(1)
    if collector is None and not without_collector:
        raise typer.Exit(2)


def stack_documents(configs: Sequence[Path], fragments: Sequence[str]) -> list[Document]:
    """Return the documents in a collector's order, with the overlay if none of the configs holds it."""
    documents = [Document.read_file(path) for path in configs]
    if not any(document.get(*situation.PIPELINES, situation.COUNTING) for document in documents):
        documents.append(shipped.read_overlay())
    return [*documents, *(shipped.read_config(shipped.find_fragment(name)) for name in fragments)]


@contextmanager
def _exit_on_error() -> Iterator[None]:
    """Print what is wrong with a config as one sentence and exit."""
    try:
        yield
    except InputError as error:
        sys.exit(f"otel-agentops collector: {error}")


def _warn_uncounted(documents: Sequence[Document]) -> None:
    for finding in receivers.check_uncounted(situation.build_situation(documents, os.environ)):
        typer.echo(f"warning: {finding.subject}: {finding.text}; {finding.advice}", err=True)


def _show_backups(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.backup:
            typer.echo(f"{outcome.path} was edited; what stood there is {outcome.backup}", err=True)


def _name_backup(config: Path) -> Path:
    return config.with_name(f"{config.name}.before-otel-agentops")


def _keep_backup(config: Path, before: Document, after: Document) -> Path:
    """Return the backup; an older one stays if the config is that one and our processors."""
    backup = _name_backup(config)
    if not (backup.exists() and tags.is_from(after, Document.read_file(backup))):
        replace_file(backup, before.text)
    return backup


def _show_diff(before: Document, after: Document) -> None:
    colors = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    lines = (before.text.splitlines(), after.text.splitlines())
    for line in difflib.unified_diff(*lines, before.name, after.name, lineterm=""):
        typer.secho(line, fg=colors.get(line[:1]))


def _confirm(yes: bool, question: str) -> bool:
    """Ask; raise typer.Exit if the answer is no, or nobody is there to give one."""
    if not yes and not (sys.stdin.isatty() and typer.confirm(question)):
        typer.echo(
            "nothing is written" if sys.stdin.isatty() else "nothing is written; --yes where nobody can answer",
            err=True,
        )
        raise typer.Exit(1)
    return True
