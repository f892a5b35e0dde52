"""Deletion of segments that are too old or too many, which leaves a tombstone in the log.

`otel_agentops.recorder.subjects` deletes the content of a task, a conversation, a trace, a tenant or a person.

A file `hold` in a day's folder, or in that of a service, keeps what is below it (legal hold).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.reading import list_segment_files, open_segments, read_entries
from otel_agentops.recorder.writer import Encoded, RecordWriter, Settings

_LIMIT = re.compile(r"(\d+)\s*(d|h|GB|MB)")
_UNITS = {"d": 86_400, "h": 3600, "GB": 1_000_000_000, "MB": 1_000_000}
HOLD = "hold"
_SERVICE = "otel-agentops-record"  # that tombstones are written as


class Limits(NamedTuple):
    """The most that is kept.

    Attributes:
        age_s: Of a sealed segment, since it was closed; None for any.
        byte_size: Of all sealed segments; None for any.
    """

    age_s: float | None
    byte_size: int | None


def parse_limits(text: str) -> Limits:
    """Return the limits that a text such as `90d,20GB` says.

    Raises:
        ValueError: It says something else.
    """
    age_s: float | None = None
    byte_size: int | None = None
    for word in text.split(","):
        match = _LIMIT.fullmatch(word.strip())
        if match is None:
            raise ValueError(f"OTEL_AGENTOPS_RECORDER_KEEP={text!r}: write an age, a size or both, such as 90d,20GB")
        value = int(match[1]) * _UNITS[match[2]]
        if match[2] in ("d", "h"):
            age_s = value
        else:
            byte_size = value
    return Limits(age_s, byte_size)


RETENTION = {"actor": "retention", "reason": "older or more than is kept", "scope": "segments"}


def prune_segments(root: Path, limits: Limits) -> int:
    """Delete sealed segments beyond the limits, leave a tombstone and return how many.

    Raises:
        OSError: One cannot be deleted.
    """
    deleted = delete_surplus(root, limits)
    if deleted:
        write_tombstone(root, RETENTION, deleted)
    return deleted


def delete_surplus(root: Path, limits: Limits) -> int:
    """Delete sealed segments beyond the limits, oldest first; return how many.

    Raises:
        OSError: One cannot be deleted.
    """
    files = [file for file in list_segment_files(root) if file.suffix == ".seg" and find_hold(file, root) is None]
    facts = sorted((file.stat().st_mtime, file.parent.name, file) for file in files)
    total = sum(file.stat().st_size for file in files)
    deleted, now = 0, time.time()
    for closed_s, _, file in facts:
        is_old = limits.age_s is not None and now - closed_s > limits.age_s
        is_surplus = limits.byte_size is not None and total > limits.byte_size
        if is_old or is_surplus:
            total -= file.stat().st_size
            file.unlink()
            deleted += 1
    return deleted


def find_hold(file: Path, root: Path) -> Path | None:
    """Return the file that keeps a segment from being deleted; None if there is none."""
    folders = (folder for folder in file.parents if folder.is_relative_to(root))
    return next((folder / HOLD for folder in folders if (folder / HOLD).exists()), None)


def write_tombstone(root: Path, facts: Mapping[str, Any], count: int | None) -> None:
    """Write a tombstone as a writer of its own: the log of a running one is not ours to change.

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
    writer.offer(0, lambda: Encoded(head), has_effect=True)
    if not writer.close(30) or writer.trouble is not None:
        raise OSError(f"{root}: the tombstone could not be written: {writer.trouble or 'the disk does not answer'}")


def has_tombstone(root: Path, deletion: str) -> bool:
    """Return True if the tombstone of a deletion is in the log."""
    files = (file for file in list_segment_files(root) if file.parent.parent.name == _SERVICE)
    entries = (entry for file in files for segment in open_segments(file) for entry in read_entries(segment))
    return any(isinstance(entry, Tombstone) and entry.deletion == deletion for entry in entries)
