"""The directory or store that a command of the recorder is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from otel_agentops._yaml import InputError
from otel_agentops.recorder.commands.index import check_directory

Directory = Annotated[
    str | None,
    typer.Option(
        "--dir", "--store", metavar="DIR|URL", help="Where the segments are; else OTEL_AGENTOPS_RECORDER says it."
    ),
]


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
