"""Stripping: a sealed segment written anew without the content of some entries.

The clear heads stay byte for byte, and with them the tree, the checkpoint and its signature. Content that stays keeps
its manifest, so the head still proves it; a piece goes when no entry that stays has it. The footer says what was done,
and keeps the hash of the footer that the writer wrote, because the next segment of the writer follows on that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from otel_agentops.recorder import codec
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.files import sync_folder
from otel_agentops.recorder.reading import read_entries
from otel_agentops.recorder.segment import (
    DATA,
    FOOT,
    HEADER_SIZE,
    MAGIC,
    NO_KEY,
    SEALED_DIGEST,
    STRIPPED,
    Decipher,
    KeyGoneError,
    KeySpace,
    Segment,
    SegmentError,
    dump_line,
    iterate_frames,
    pack_frame,
)
from otel_agentops.recorder.verifying import verify_records

_UNFINISHED = ".stripping"  # ending of a segment that is being written anew
_PADDING = "padding"  # member of a footer

IsWanted = Callable[[Entry], bool]


class Keys(Decipher, Protocol):
    """The keys of encrypted content, to read it and to write it anew."""

    def encrypt(self, key: bytes, block: bytes, associated: bytes) -> bytes:
        """Return a block under the key that it had."""


def find_content(segment: Segment, is_wanted: IsWanted) -> list[Entry]:
    """Return the entries that are wanted and whose content is still there.

    Raises:
        SegmentError: No key is at hand, and only the content could tell.
    """
    return [entry for entry in read_entries(segment) if is_wanted(entry) and has_content(segment, entry)]


def has_content(segment: Segment, entry: Entry) -> bool:
    """Return True if the content of an entry is still there.

    Raises:
        SegmentError: No key is at hand, and only the content could tell.
    """
    if entry.commitment is None or not segment.frames[entry.frame].content:
        return False
    try:
        contents = segment.load_contents(entry.frame)
    except KeyGoneError:
        return False
    return contents[entry.position] is not None


def read_foot(file: BinaryIO) -> Mapping[str, Any] | None:
    """Return the footer of a segment; None if the file is no whole, sealed segment."""
    last = None
    for last in iterate_frames(file):  # noqa: B007  a segment is larger than its footer: one frame at a time
        pass
    foot: Mapping[str, Any] | None = None if last is None or last.kind != FOOT else json.loads(last.heads)
    return foot


def read_strips(file: BinaryIO) -> Sequence[Mapping[str, Any]] | None:
    """Return what a segment says of deletions, oldest first; None if the file is no whole, sealed segment."""
    foot = read_foot(file)
    return None if foot is None else foot.get(STRIPPED, ())


def remove_unfinished(root: Path) -> None:
    """Remove what killed deletions had not yet put in the place of a segment."""
    for left in root.glob(f"v1/*/*/*{_UNFINISHED}"):
        left.unlink()


def strip_segment(path: Path, is_wanted: IsWanted, note: Mapping[str, Any], keys: Keys | None = None) -> int:
    """Take the content of entries out of a sealed segment; return of how many.

    The new file is complete, checked and on the disk before it takes the place of the old one.

    Args:
        path: The segment.
        is_wanted: Returns True for an entry whose content goes.
        note: Who and why, for the footer.
        keys: Of encrypted content; None if there are none at hand.

    Raises:
        SegmentError: The segment is not sealed or is damaged, or a key is needed and not at hand.
        OSError: It cannot be written.
    """
    segment = Segment(path, keys)
    if segment.foot is None or segment.is_torn:
        raise SegmentError(
            f"{path}: only a whole, sealed segment can be stripped; `otel-agentops record verify` checks it"
        )
    stripped = find_content(segment, is_wanted)
    if not stripped:
        return 0
    frames = list(_strip_frames(segment, {(entry.frame, entry.position) for entry in stripped}, keys))
    size = len(MAGIC) + sum(map(len, frames))
    strips = [*segment.strips, {**note, "count": len(stripped), "byte_size": segment.file_size}]
    foot = {**segment.foot, SEALED_DIGEST: segment.sealed_digest.hex(), STRIPPED: strips, _PADDING: ""}
    # Copies of a segment are known by name and size, so no two states of it may be equally long.
    while size + HEADER_SIZE + len(dump_line(foot)) in {strip["byte_size"] for strip in strips}:
        foot[_PADDING] += " "
    frames.append(pack_frame(FOOT, dump_line(foot), hashlib.sha256(frames[-1]).digest()))
    _replace_segment(segment, b"".join((MAGIC, *frames)), keys)
    return len(stripped)


def _strip_frames(segment: Segment, dropped: set[tuple[int, int]], keys: Keys | None) -> Iterator[bytes]:
    """Yield all frames but the footer; those of a key that nothing is taken from have their blocks as before."""
    changed_keys = {segment.frames[frame].key for frame, _ in dropped}
    entries = {number: list(group) for number, group in groupby(read_entries(segment), lambda entry: entry.frame)}
    spaces: dict[bytes, KeySpace] = {}
    streams: dict[bytes, codec.Compressor] = {}
    previous = segment.frames[0].previous
    for number, frame in enumerate(segment.frames[:-1]):
        content, first_piece, begins_stream = frame.content, frame.first_piece, frame.begins_stream
        if frame.kind == DATA and frame.key in changed_keys:
            space = spaces.setdefault(frame.key, KeySpace())
            first_piece, content, begins_stream = space.first_piece, b"", False
            _keep_entries(segment, entries[number], dropped, space)
            if (texts := space.take_texts()) is not None:
                begins_stream = frame.key not in streams
                stream = streams.setdefault(frame.key, codec.Compressor(frame.codec))
                content = stream.compress(*texts)
                if frame.key != NO_KEY:
                    assert keys is not None  # its content was read
                    content = keys.encrypt(frame.key, content, frame.heads)
        data = pack_frame(
            frame.kind, frame.heads, previous, content, frame.codec, frame.key, first_piece, begins_stream
        )
        previous = hashlib.sha256(data).digest()
        yield data


def _keep_entries(segment: Segment, entries: Sequence[Entry], dropped: set[tuple[int, int]], space: KeySpace) -> None:
    """Add the entries of a frame to the next one of its key, without the content that is dropped."""
    contents = segment.load_contents(entries[0].frame)
    for entry in entries:
        content = contents[entry.position] if contents else None
        if content is None or (entry.frame, entry.position) in dropped:
            space.add_entry(entry.line, b"null", [])
            continue
        lane = entry.task_id or entry.trace_id
        recipes = [
            space.add_recipe(part["name"], segment.find_pieces(entry.frame, recipe), lane)
            for part, recipe in zip(content.manifest["parts"], content.recipes, strict=True)
        ]
        space.add_entry(entry.line, content.line, recipes)


def _replace_segment(segment: Segment, data: bytes, keys: Keys | None) -> None:
    """Put a new file in the place of a segment, once it is on the disk and has been checked."""
    path = segment.path
    new = path.with_suffix(_UNFINISHED)
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        problems = [finding.text for finding in verify_records(new, (), keys) if finding.level == "problem"]
        if problems or [entry.line for entry in read_entries(Segment(new))] != [
            entry.line for entry in read_entries(segment)
        ]:
            raise SegmentError(
                f"{path}: it cannot be stripped and stays as it is: {'; '.join(problems) or 'other heads'}"
            )
        state = path.stat()
        os.utime(new, ns=(state.st_atime_ns, state.st_mtime_ns))  # retention goes by when it was closed
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"it stays as it is: {error.strerror or error}", str(path)) from None
    finally:
        new.unlink(missing_ok=True)
