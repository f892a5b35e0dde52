"""The hold that keeps files from every deletion, and the tombstone that each leaves in the log.

`otel_agentops.recorder.retention` deletes what is too old or too much, `otel_agentops.recorder.subjects` the content of
a task, a conversation, a trace, a tenant or a person.

A file `hold` in a day's folder, or in that of a service, keeps what is below it (legal hold).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.reading import list_segment_files, open_segments, read_entries
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings

HOLD = "hold"
_SERVICE = "otel-agentops-record"  # that tombstones are written as


def find_hold(file: Path, root: Path) -> Path | None:
    """Return the file that keeps a segment from being deleted; None if there is none."""
    folders = (folder for folder in file.parents if folder.is_relative_to(root))
    return next((folder / HOLD for folder in folders if (folder / HOLD).exists()), None)


def write_tombstone(root: Path, facts: Mapping[str, Any], count: int | None) -> None:
    """Write a tombstone as a writer of its own: the log of a running one is not ours to change.

    It is written on this thread, because at the end of a process no other can be started.

    Raises:
        OSError: It is not on the disk.
    """
    head = {
        "kind": "tombstone",
        "time_ns": time.time_ns(),
        "monotonic_ns": time.monotonic_ns(),
        **facts,
        "count": count,
    }
    writer = RecordWriter(Settings(root), lambda: {"service.name": _SERVICE})
    writer.write_alone(lambda: Encoded(head))
    if writer.trouble is not None:
        raise OSError(f"{root}: the tombstone could not be written: {writer.trouble}")


def has_tombstone(root: Path, deletion: str) -> bool:
    """Return True if the tombstone of a deletion is in the log."""
    files = (file for file in list_segment_files(root) if file.parent.parent.name == _SERVICE)
    entries = (entry for file in files for segment in open_segments(file) for entry in read_entries(segment))
    return any(isinstance(entry, Tombstone) and entry.deletion == deletion for entry in entries)
