"""Deletions that have begun and are not over: a file for each, from before the first change until after the tombstone.

A deletion that is killed on its way, or fails, is finished by the next one, and named by `record verify` and by a
writer that starts. Retention is one, too. The file has what the deletion was asked for, and no content; of users their
hashes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from otel_agentops.recorder.files import lock_file, sync_folder, unlock_file

_LOCK = "deletion.lock"
_UNWRITTEN = ".part"


class Deletion(NamedTuple):
    """A deletion that somebody asked for.

    Attributes:
        id: Of this one alone: its tombstone and the footers that it changed have it.
        actor: Who deletes.
        reason: Why.
        kind: task, conversation, trace, tenant or user; of retention: segments, or content of.
        names: Of the subject.
        files: Of retention: what it is about, relative to the directory.
    """

    id: str
    actor: str
    reason: str
    kind: str
    names: tuple[str, ...]
    files: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """Return the subject in words."""
        return describe_subject(self.kind, self.names)

    @property
    def note(self) -> dict[str, str]:
        """Return what footers and the tombstone say of it."""
        return {"actor": self.actor, "reason": self.reason, "scope": self.scope, "deletion": self.id}

    @property
    def finisher(self) -> str:
        """Return what finishes it if it is killed."""
        return "the next retention or `record delete`" if self.files else "the next `record delete`"


def describe_subject(kind: str, names: Iterable[str]) -> str:
    """Return a subject in words."""
    return f"{kind} {', '.join(names)}".rstrip()


def write_journal(root: Path, deletion: Deletion) -> Path:
    """Have on the disk that a deletion begins.

    Raises:
        OSError: It cannot be written.
    """
    path = root / f"deletion-{deletion.id}.json"
    part = path.with_suffix(_UNWRITTEN)
    with part.open("wb") as file:
        file.write(json.dumps(deletion._asdict()).encode())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(root)
    return path


def read_journals(root: Path) -> dict[Path, Deletion]:
    """Return the deletions that have begun and are not over, by their files."""
    journals = {}
    for path in sorted(root.glob("deletion-*.json")):
        with suppress(FileNotFoundError):  # it has ended since
            members = json.loads(path.read_bytes())
            lists = {name: tuple(members.get(name, ())) for name in ("names", "files")}
            journals[path] = Deletion(**{**members, **lists})
    return journals


def find_unfinished(root: Path) -> dict[Path, Deletion]:
    """Return the deletions that nobody is about to finish, by their files."""
    journals = read_journals(root)
    if not journals:
        return {}
    try:
        with (root / _LOCK).open("rb") as file:
            return read_journals(root) if lock_file(file) else {}
    except FileNotFoundError:
        return journals


@contextmanager
def lock_deletions(root: Path) -> Iterator[bool]:
    """Let one deletion at a time work in a directory; False if another one does."""
    with (root / _LOCK).open("ab") as file:
        is_ours = lock_file(file)
        if is_ours:
            for part in root.glob(f"deletion-*{_UNWRITTEN}"):
                part.unlink()
        try:
            yield is_ours
        finally:
            unlock_file(file)  # a child that was forked meanwhile has the file open, too
