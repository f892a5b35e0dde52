"""Files of the recorder on a local disk: opened under a lock, sealed under another name, repaired after a crash."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from otel_agentops.recorder.notes import make_checkpoint
from otel_agentops.recorder.segment import FOOT, HEAD, dump_line, iterate_frames, iterate_lines, pack_frame
from otel_agentops.recorder.tree import Frontier, hash_leaf

try:
    import fcntl
except ImportError:  # Windows has none; a writer's id in the name keeps two from one file all the same
    fcntl = None  # type: ignore[assignment]

_UNSAFE = re.compile(r"[^\w.-]+")


def name_folder(root: Path, service: str | None, time_ns: int) -> Path:
    """Return the folder of a service's segments of a day."""
    safe = _UNSAFE.sub("_", service or "").strip(".")[:64] or "unknown_service"
    return root / "v1" / safe / time.strftime("%Y-%m-%d", time.gmtime(time_ns / 1e9))


def create_file(path: Path) -> BinaryIO:
    """Create a file that only its owner can read, and lock it.

    Raises:
        OSError: It exists, or cannot be created or locked.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b", buffering=0)
    lock_file(file)
    return file


def lock_file(file: BinaryIO) -> bool:
    """Lock a file for as long as it is open; return False if somebody else has it locked."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock_file(file: BinaryIO) -> None:
    """Give a file free, for all processes that have inherited it as well."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name == "nt":  # it cannot open a folder
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def seal_file(path: Path) -> Path:
    """Give a file the name of a sealed segment."""
    sealed = path.with_suffix(".seg")
    path.rename(sealed)
    sync_folder(sealed.parent)
    return sealed


class Repair(NamedTuple):
    """The result of sealing a segment whose writer ended without closing it.

    Attributes:
        segment: The sealed segment; None if nothing in it was whole.
        entry_count: Entries that are readable.
        torn_bytes: Bytes behind the last whole frame, which are set aside.
        torn: The file that has them; None if there were none.
    """

    segment: Path | None
    entry_count: int
    torn_bytes: int
    torn: Path | None


def repair_orphan(path: Path) -> Repair | None:
    """Seal a segment whose writer is gone; return None if the writer is still there.

    Raises:
        OSError: It cannot be read or written.
    """
    with path.open("r+b", buffering=0) as file:
        if not lock_file(file):
            return None
        frames = list(iterate_frames(file))
        is_whole = bool(frames) and frames[0].kind == HEAD
        end = frames[-1].end if is_whole else 0
        size = file.seek(0, os.SEEK_END)
        torn = None
        if size > end:
            torn = path.with_suffix(f".torn-{time.time_ns()}")
            file.seek(end)
            torn.write_bytes(file.read())
        if not is_whole:
            path.unlink()
            return Repair(None, 0, size, torn)
        file.truncate(end)
        file.seek(end)
        count = 0
        if frames[-1].kind != FOOT:
            head = json.loads(frames[0].heads)
            frontier = Frontier(head["first_index"], [bytes.fromhex(root) for root in head["frontier"]])
            for _, lines in iterate_lines(frames):
                for line in lines:
                    frontier.append(hash_leaf(line))
            count = frontier.size - head["first_index"]
            checkpoint = make_checkpoint(
                f"otel-agentops/{head['writer']}", frontier.size, frontier.compute_root(), None
            )
            foot = {"repaired_ns": time.time_ns(), "entries": count, "checkpoint": checkpoint}
            file.write(pack_frame(FOOT, dump_line(foot), frames[-1].digest))
        os.fsync(file.fileno())
        return Repair(seal_file(path), count, size - end, torn)
