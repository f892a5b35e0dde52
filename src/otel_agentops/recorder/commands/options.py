"""Options that commands share, and what they stand for: a directory of segments with its keys, and JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.recorder.commands.index import check_directory
from otel_agentops.recorder.commands.steps import dump_json
from otel_agentops.recorder.keys import KeyRing, load_master_key

Directory = Annotated[
    str | None,
    typer.Option(
        "--dir", "--store", metavar="DIR|URL", help="Where the segments are; else OTEL_AGENTOPS_RECORDER says it."
    ),
]
IsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def find_directory(directory: str | None) -> Path:
    """Return the directory of segments that a command is about; what is in a store is brought here.

    Raises:
        InputError: None is named, or it cannot be read.
    """
    from otel_agentops.recorder.commands.shipping import mirror_store

    path = directory or os.environ.get("OTEL_AGENTOPS_RECORDER", "").strip()
    if not path:
        raise InputError("no directory of the recorder; name it with --dir or in OTEL_AGENTOPS_RECORDER")
    try:
        root = mirror_store(path) if "://" in path else Path(path)
    except OSError as error:
        raise InputError(f"{path}: the store cannot be read: {error}") from None
    check_directory(root)
    return root


def load_keys(root: Path, source: str | None = None) -> KeyRing | None:
    """Return the keys of encrypted content; None if no master key is named.

    Args:
        root: The directory of segments, or one segment.
        source: The master key; None for what OTEL_AGENTOPS_RECORDER_KEY says.

    Raises:
        InputError: The master key cannot be had.
    """
    name = "OTEL_AGENTOPS_RECORDER_KEY" if source is None else "the master key"
    source = source or os.environ.get("OTEL_AGENTOPS_RECORDER_KEY", "").strip()
    try:
        return KeyRing(find_key_root(root), load_master_key(source)) if source else None
    except ValueError as error:
        raise InputError(f"{name}: {error}") from None  # what is named may be the key itself


def find_key_root(root: Path) -> Path:
    """Return the directory in which the keys were made: its own, else the recorder's, for no store has them."""
    return root if (root / "keys").exists() else Path(os.environ.get("OTEL_AGENTOPS_RECORDER") or root)


def print_json(document: object) -> None:
    """Print a document as JSON."""
    typer.echo(dump_json(document, indent=2))
