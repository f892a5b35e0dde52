"""`otel-agentops identity` and `otel-agentops which`: a thin shell over the functions of this package."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._config import read_config
from otel_agentops._identity import Identities
from otel_agentops._yaml import InputError, read_text
from otel_agentops.command_line import stop_on_error
from otel_agentops.provenance.files import Kind, read_as, read_contents
from otel_agentops.provenance.history import Checkout
from otel_agentops.provenance.search import Origin, Search, find_origins

_HASH = re.compile(r"(?:.*@)?([0-9a-fA-F]{16})")  # also as `otel_agentops.tools.versions` has it: name@hash


def print_identities(
    file: Annotated[Path, typer.Argument(help="A prompt's template, tools as JSON, a rubric, a lock file.")],
    kind: Annotated[Kind | None, typer.Option(help="What it is, if its name and text do not say it.")] = None,
) -> None:
    """Print the identities of a file: hash, attribute of the span that has it, part of the file."""
    identities = _make_identities()
    with stop_on_error("identity"):
        text = read_text(file).replace("\r\n", "\n")
        contents = read_as(kind, str(file), text, identities) if kind else read_contents(str(file), text, identities)
        if not contents.identities:
            raise InputError(
                f"{file}: no prompt, tool or judge is in this {contents.taken_as}; say with --kind what it is"
            )
    typer.echo(f"note: {file} is taken as {contents.taken_as}", err=True)
    for identity in contents.identities:
        typer.echo("  ".join(identity).rstrip())


def find_commits(
    value: Annotated[str, typer.Argument(metavar="HASH", help="An identity: 16 hex digits, or a tool's name@hash.")],
    repo: Annotated[Path, typer.Option(metavar="DIR", help="The git checkout, or a directory of it.")] = Path(),
    path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="Files to search in place of the usual ones, as 'prompts/**'; again for more."
        ),
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find the commit, author, date and word diff that an identity comes from, in a git checkout.

    Exit 0: found. 1: not found. 2: no git checkout.
    """
    match = _HASH.fullmatch(value)
    if not match:
        raise typer.BadParameter(f"{value!r} is no identity; it has 16 hex digits", param_hint="HASH")
    value = match[1].lower()
    with stop_on_error("which", 2):
        checkout = Checkout(repo, path or ())
        search = find_origins(checkout, value, _make_identities())
        absence = [] if search.origins else _explain_absence(value, checkout, search)
    if is_json:
        typer.echo(json.dumps(_build_document(value, search), indent=2))
    else:
        typer.echo("\n\n".join(map(_format_origin, search.origins)), nl=bool(search.origins))
    for sentence in absence:
        typer.echo(f"otel-agentops which: {sentence}", err=True)
    raise typer.Exit(0 if search.origins else 1)


def _make_identities() -> Identities:
    config = read_config(os.environ)
    return Identities(config.hash_key, config.prompt_limit)


def _format_origin(origin: Origin) -> str:
    change, identity = origin.change, origin.identity
    commit = change.commit
    rows = {
        "commit": f"{commit.hash} {commit.subject}" if commit.hash else "not committed",
        "author": commit.author,
        "date": commit.date,
        "file": f"{change.file}{f', {identity.part}' if identity.part else ''}",
        "before": origin.value_before or ("" if change.blobs_before else "a new file"),
    }
    lines = [f"{identity.value} ({identity.attribute})"]
    lines += [f"  {name:<8}{text}" for name, text in rows.items() if text]
    lines += [f"    {line}" for line in origin.word_diff.splitlines()]
    return "\n".join(map(_mask_controls, lines))


def _mask_controls(line: str) -> str:
    """Return a line without what a terminal would obey: escapes, or bytes that are no text."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _build_document(value: str, search: Search) -> dict[str, object]:
    origins = [
        {
            "commit": change.commit.hash or None,
            "subject": change.commit.subject or None,
            "author": change.commit.author or None,
            "date": change.commit.date or None,
            "file": change.file,
            "part": identity.part,
            "attribute": identity.attribute,
            "is_new_file": not change.blobs_before,
            "value_before": value_before,
            "word_diff": word_diff,
        }
        for change, identity, value_before, word_diff in search.origins
    ]
    counts = {"commits": search.commits, "files": search.files, "versions": search.versions}
    return {"value": value, "origins": origins, "searched": counts}


def _explain_absence(value: str, checkout: Checkout, search: Search) -> list[str]:
    """Return what was searched, and what else may be the reason."""
    counts = ((search.versions, "version"), (search.files, "file"), (search.commits, "commit"))
    versions, files, commits = (f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    sentences = [
        f"{checkout.top}: {value} is in none of {versions} of {files} in {commits} ({', '.join(checkout.patterns)}); "
        "name other files with --path"
    ]
    sentences.append(
        "hashes are made with the key in OTEL_AGENTOPS_HASH_KEY; take the service's"
        if os.environ.get("OTEL_AGENTOPS_HASH_KEY", "").strip()
        else "OTEL_AGENTOPS_HASH_KEY is not set; set it if the service has one, for its hashes are keyed"
    )
    if checkout.is_shallow():
        sentences.append("a part of the history is not here; run `git fetch --unshallow`")
    return sentences
