"""Segments with an entry of each kind that has content, as old as a test wants them, for tests of retention."""

from __future__ import annotations

import os
import time
from pathlib import Path

from recorder_entries import make_writer

from otel_agentops.recorder.entries import Tombstone
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.parts import PartMaker
from otel_agentops.recorder.reading import open_records, read_parts
from otel_agentops.recorder.retention import Retention, parse_limits
from otel_agentops.recorder.verifying import verify_records
from otel_agentops.recorder.writer import Encoded

PARTS = {
    "call": "request",
    "tool": "arguments",
    "intent": "arguments",
    "retrieval": "documents",
    "judgement": "configuration",
}
ALL = sorted(PARTS)
DAY_S = 86_400


def write_kinds(root: Path, age_days: float, kinds: list[str] = ALL, keys: KeyRing | None = None) -> Path:
    """Write a segment with an entry of each kind and an outcome; return its file."""
    recorder = make_writer(root)
    for number, kind in enumerate([*kinds, "outcome"]):

        def encode(number: int = number, kind: str = kind) -> Encoded:
            clock = {"time_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()}
            head = {"kind": kind, **clock, "attributes": {"number": number}}
            name = PARTS.get(kind, "")
            maker = PartMaker({name: "full"}, None, None)
            part = maker.make(name, b'["words of a %s"]' % kind.encode(), "t") if name else None
            cipher = None if keys is None else keys.find_key(None, clock["time_ns"])
            return Encoded(head, [] if part is None else [part], "t", cipher if part else None)

        recorder.offer(1000, encode)
    assert recorder.close(10)
    (file,) = root.glob(f"v1/*/*/{recorder.id}-*.seg")
    set_age(file, age_days)
    return file


def set_age(file: Path, days: float) -> None:
    closed_s = time.time() - days * DAY_S
    os.utime(file, (closed_s, closed_s))


def retain(root: Path, keep: str, keys: KeyRing | None = None) -> None:
    Retention(root, parse_limits(keep), lambda: keys).run()


def read_kinds(file: Path, keys: KeyRing | None = None) -> list[str]:
    """Return the kinds of a segment whose content is there; the heads of all must be."""
    entries = list(open_records(file, keys))
    with_content = sorted(entry.kind for entry in entries if entry.commitment)
    assert [*with_content, "outcome"] == [entry.kind for entry in entries]
    return sorted(entry.kind for entry in entries if read_parts(entry))


def list_stones(root: Path) -> list[tuple[str, str, int | None]]:
    return sorted(
        (entry.actor, entry.scope, entry.count) for entry in open_records(root) if isinstance(entry, Tombstone)
    )


def list_problems(root: Path) -> list[str]:
    return [finding.text for finding in verify_records(root) if finding.level == "problem"]
