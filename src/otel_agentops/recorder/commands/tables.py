"""The index as a Parquet file, for DuckDB, pandas and the like, written by the user's pyarrow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otel_agentops._yaml import InputError
from otel_agentops.recorder.commands.index import COLUMNS, Row

_NUMBERS = ("duration_ns", "lost", "position", "input_tokens", "output_tokens")


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write the clear facts of entries, one row each; no content.

    Raises:
        InputError: pyarrow is not installed, or the file exists or cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError("--parquet needs pyarrow: pip install pyarrow") from None
    if path.exists():
        raise InputError(f"{path}: the file exists; move it away or choose another name")
    fields = [
        (name, pyarrow.timestamp("ns", "UTC") if name == "time_ns" else
         pyarrow.int64() if name in _NUMBERS else pyarrow.string())
        for name in COLUMNS
    ]  # fmt: skip
    table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=pyarrow.schema(fields))
    try:
        parquet.write_table(table, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None
