"""Retention: what is too old or too much goes, and a tombstone says so.

    limits = parse_limits("90d,20GB,retrieval=7d,tool=1y")
    Retention(Path("/var/lib/recorder"), limits).run()

A class is a kind of entry. All content of an entry has one commitment, which has the hash of each part: a part that
goes alone would leave its hash, and a short text can be guessed from that. So the content of an entry goes as a whole.

A run is a deletion like any other: it is in the journal from before its first change until its tombstone is on disk.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_agentops._guard import say_once
from otel_agentops.recorder.deletion import find_hold, has_tombstone, write_tombstone
from otel_agentops.recorder.journal import Deletion, lock_deletions, read_journals, write_journal
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import read_entries
from otel_agentops.recorder.segment import Segment, SegmentError
from otel_agentops.recorder.stripping import read_foot, read_strips, remove_unfinished, strip_segment

# The kinds of entries whose content has an age of its own, by the name of the class.
CLASSES: Mapping[str, frozenset[str]] = {
    "call": frozenset({"call"}),
    "tool": frozenset({"tool", "intent"}),  # an intent has the arguments of its tool
    "retrieval": frozenset({"retrieval"}),
    "judgement": frozenset({"judgement"}),
}
_LIMIT = re.compile(r"(?:(\w+)\s*=\s*)?(\d+)\s*(h|d|y|MB|GB)")
_AGES = {"h": 3600, "d": 86_400, "y": 365 * 86_400}
_SIZES = {"MB": 1_000_000, "GB": 1_000_000_000}
_ACTOR, _REASON = "retention", "older or more than is kept"
_SEGMENTS, _CONTENT = "segments", "content of"  # kinds of subjects
# Of a run, because the writer waits for it: to write a full segment anew takes a second, to look at it 10 ms.
_MOST_BYTES = 8_000_000
_MOST_LOOKED_AT = 100

LoadKeys = Callable[[], "KeyRing | None"]


class Limits(NamedTuple):
    """The most that is kept.

    Attributes:
        age_s: Of a sealed segment, since it was closed; None for any.
        byte_size: Of all sealed segments; None for any.
        class_ages: Of the content of classes that have an age of their own, in seconds.
    """

    age_s: float | None
    byte_size: int | None
    class_ages: Mapping[str, float] = {}

    @property
    def longest_s(self) -> float | None:
        """Return the age at which a segment is deleted; None for never."""
        return None if self.age_s is None else max(self.age_s, *self.class_ages.values(), 0)

    @property
    def shortest_s(self) -> float | None:
        """Return the age at which the first content goes; None for never."""
        ages = [*self.class_ages.values(), *([] if self.age_s is None else [self.age_s])]
        return min(ages, default=None)

    def find_due(self, age_s: float) -> frozenset[str]:
        """Return the classes whose content is too old in a segment of that age."""
        ages = {name: self.class_ages.get(name, self.age_s) for name in CLASSES}
        return frozenset(name for name, most_s in ages.items() if most_s is not None and age_s > most_s)


def parse_limits(text: str) -> Limits:
    """Return the limits that a text such as `90d,20GB,retrieval=7d` says.

    Raises:
        ValueError: It says something else.
    """
    age_s: float | None = None
    byte_size: int | None = None
    class_ages: dict[str, float] = {}
    for word in text.split(","):
        match = _LIMIT.fullmatch(word.strip())
        name, number, unit = match.groups() if match is not None else ("", "0", "")
        is_wrong = match is None or (name is not None and (name not in CLASSES or unit in _SIZES or name in class_ages))
        if is_wrong:
            raise ValueError(
                f"OTEL_AGENTOPS_RECORDER_KEEP={text!r}: {word.strip()!r} is wrong; write an age (h, d or y), a size "
                f"(MB or GB) and an age for each class ({', '.join(CLASSES)}), such as 90d,20GB,retrieval=7d"
            )
        if unit in _SIZES:
            byte_size = int(number) * _SIZES[unit]
        elif name is None:
            age_s = int(number) * _AGES[unit]
        else:
            class_ages[name] = int(number) * _AGES[unit]
    return Limits(age_s, byte_size, class_ages)


class _File(NamedTuple):
    """A file that may be deleted: no hold keeps it."""

    age_s: float
    byte_size: int
    path: Path


class Retention:
    """The limits of a directory, applied again and again.

    Args:
        root: The directory of the recorder.
        limits: The most that is kept there.
        load_keys: Returns the keys of encrypted content; None if it is not encrypted.
    """

    def __init__(self, root: Path, limits: Limits, load_keys: LoadKeys = lambda: None) -> None:
        self._root = root
        self._limits = limits
        self._load_keys = load_keys
        self._done: dict[Path, frozenset[str]] = {}  # classes that a segment has no content of

    def run(self) -> bool:
        """Delete what is beyond the limits, and finish runs that were killed; do nothing while a deletion is at work.

        Returns:
            True if it is to be run again soon, because there may be more.

        Raises:
            OSError: A file cannot be written or deleted; the next run goes on with it.
            ValueError: The master key is wrong.
        """
        with lock_deletions(self._root) as is_ours:
            if not is_ours:
                return False
            remove_unfinished(self._root)
            for journal, deletion in read_journals(self._root).items():
                if is_retention(deletion):
                    finish_retention(self._root, journal, deletion, self._load_keys)
            segments = self._list_files("*.seg")
            surplus = self._find_surplus(segments)
            self._delete(_SEGMENTS, (), surplus)
            kept = [file for file in segments if file.path not in set(surplus)]
            due, done, is_all = self._find_due(kept)
            for classes, paths in due.items():
                self._delete(_CONTENT, classes, paths)
            self._done = done  # only now: what the disk refused is looked at again
            return not is_all

    def _list_files(self, pattern: str) -> list[_File]:
        """Return the files without a hold, oldest first."""
        files, now = [], time.time()
        for path in self._root.glob(f"v1/*/*/{pattern}"):
            if find_hold(path, self._root) is None:
                state = path.stat()
                files.append(_File(now - state.st_mtime, state.st_size, path))
        return sorted(files, key=lambda file: (-file.age_s, file.path.parent.name, file.path))

    def _find_surplus(self, segments: Sequence[_File]) -> list[Path]:
        """Return the segments that go, oldest first, and what crashes tore off: it may be of any class."""
        longest_s, shortest_s, most = self._limits.longest_s, self._limits.shortest_s, self._limits.byte_size
        total = sum(file.byte_size for file in segments)
        surplus = []
        for file in segments:
            is_old = longest_s is not None and file.age_s > longest_s
            if is_old or (most is not None and total > most):
                total -= file.byte_size
                surplus.append(file.path)
        torn = self._list_files("*.torn-*") if shortest_s is not None else []
        return surplus + [file.path for file in torn if file.age_s > (shortest_s or 0)]

    def _find_due(
        self, segments: Sequence[_File]
    ) -> tuple[dict[tuple[str, ...], list[Path]], dict[Path, frozenset[str]], bool]:
        """Return segments with content that is too old, by its classes; what is done then; and True if those are all.

        The newest come first: they are due since the last run.
        """
        due: dict[tuple[str, ...], list[Path]] = {}
        done = {file.path: self._done[file.path] for file in segments if file.path in self._done}
        if not self._limits.class_ages:
            return due, done, True
        looked_at = byte_size = 0
        for file in reversed(segments):
            wanted = self._limits.find_due(file.age_s)
            if wanted <= done.get(file.path, frozenset()):
                continue
            done[file.path] = wanted
            looked_at += 1
            if classes := tuple(sorted(wanted & _find_classes(file.path))):
                due.setdefault(classes, []).append(file.path)
                byte_size += file.byte_size
            if looked_at == _MOST_LOOKED_AT or byte_size >= _MOST_BYTES:
                return due, done, False
        return due, done, True

    def _delete(self, kind: str, classes: Iterable[str], paths: Sequence[Path]) -> None:
        if paths:
            files = tuple(path.relative_to(self._root).as_posix() for path in paths)
            deletion = Deletion(os.urandom(8).hex(), _ACTOR, _REASON, kind, tuple(classes), files)
            finish_retention(self._root, write_journal(self._root, deletion), deletion, self._load_keys, is_new=True)


def _find_classes(path: Path) -> frozenset[str]:
    """Return the classes that a segment may have content of; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            foot = read_foot(file)
        if foot is None or (kinds := foot.get("kinds")) is None:
            kinds = {entry.kind for entry in read_entries(Segment(path)) if entry.commitment is not None}
    except SegmentError as error:
        say_once(f"retention:{path}", "%s: what is too old in it stays: %s", path, error)
        return frozenset()
    gone = {name for strip in (foot or {}).get("stripped", ()) for name in strip.get("classes", ())}
    return frozenset(name for name, members in CLASSES.items() if not members.isdisjoint(kinds)) - gone


def is_retention(deletion: Deletion) -> bool:
    """Return True if nobody asked for a deletion but the limits."""
    return deletion.kind in (_SEGMENTS, _CONTENT)


def finish_retention(
    root: Path, journal: Path, deletion: Deletion, load_keys: LoadKeys, *, is_new: bool = False
) -> None:
    """Take each step of a run that is not taken yet, and end it by its tombstone; what is on hold by now stays.

    Args:
        root: The directory of the recorder.
        journal: The file of the run.
        deletion: What it deletes.
        load_keys: Returns the keys of encrypted content; None if it is not encrypted.
        is_new: True if it cannot have a tombstone yet.

    Raises:
        OSError: A file cannot be written or deleted.
        ValueError: The master key is wrong.
    """
    paths = [path for path in map(root.joinpath, deletion.files) if find_hold(path, root) is None]
    if deletion.kind == _SEGMENTS:
        for path in paths:
            path.unlink(missing_ok=True)
        count = len(paths)
    else:
        keys = load_keys()
        count = sum(_strip(path, deletion, keys) for path in paths if path.exists())
    if count and (is_new or not has_tombstone(root, deletion.id)):
        write_tombstone(root, deletion.note, count)
    journal.unlink()


def _strip(path: Path, deletion: Deletion, keys: KeyRing | None) -> int:
    """Take the content of the classes out of a segment; return of how many entries this run has taken it."""
    kinds = frozenset().union(*(CLASSES[name] for name in deletion.names))
    try:
        strip_segment(path, lambda entry: entry.kind in kinds, {**deletion.note, "classes": deletion.names}, keys)
    except SegmentError as error:
        say_once(f"retention:{path}", "%s: what is too old in it stays: %s", path, error)
    with path.open("rb") as file:
        return sum(strip["count"] for strip in read_strips(file) or () if strip.get("deletion") == deletion.id)
