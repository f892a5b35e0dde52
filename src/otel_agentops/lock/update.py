"""Updates of a lock file: missing live values become entries, entries stay, unseen ones may go."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from otel_agentops._yaml import InputError, read_text
from otel_agentops.lock.check import is_listed
from otel_agentops.lock.edit import HEAD, edit_entries
from otel_agentops.lock.live import Live
from otel_agentops.lock.model import Entry, Key, Lock
from otel_agentops.lock.text import parse_lock
from otel_agentops.written_files import replace_file


@dataclass(frozen=True)
class Update:
    """A lock file before and after; `unseen` holds the entries that were not live, taken out or not."""

    path: Path
    before: str | None
    after: str
    unseen: tuple[Key, ...]

    @property
    def diff(self) -> str:
        """Return what changes as a unified diff, empty if nothing does."""
        old, new = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        names = (str(self.path) if self.before is not None else "/dev/null", str(self.path))
        return "" if self.after == self.before else "".join(unified_diff(old, new, *names))

    def write_file(self) -> None:
        """Write the file, whole or not at all."""
        replace_file(self.path, self.after)


def update_lock(
    path: Path, live: Live, owner: str | None, day: datetime.date, variables: Sequence[str], prune: bool = False
) -> Update:
    """Return the file with every live value of some variables.

    Args:
        path: The lock file, which need not exist.
        live: Values that were seen.
        owner: Who answers for new entries; only needed if there are some.
        day: Date of new entries.
        variables: Variables to update.
        prune: True to take out what was not seen.

    Raises:
        InputError: New entries have no owner, or the file is not a lock file.
    """
    before = read_text(path) if path.exists() else None
    text = HEAD if before is None else before
    lock = parse_lock(text, path)
    missing = [each for each in live.values if each.variable in variables and not is_listed(lock, each)]
    if missing and not owner:
        raise InputError(f"{path}: {len(missing)} new values need somebody who answers for them; say who with --owner")
    new = []
    for each in missing:
        key = Key(each.variable, each.scope, each.service, each.value or "")
        new.append((key, Entry(value=key.value, service=key.service, owner=str(owner), date=day)))
    unseen = tuple(_find_unseen(lock, live, variables))
    return Update(path, before, edit_entries(text, path, new, unseen if prune else ()), unseen)


def _find_unseen(lock: Lock, live: Live, variables: Sequence[str]) -> list[Key]:
    """Return entries that were not live, of variables that were: a source that has none of one proves nothing."""
    values = {
        Key(each.variable, each.scope, service, each.value or "")
        for each in live.values
        for service in (each.service, None)
    }
    sources = {(value.variable, value.service) for value in values}
    return [
        key
        for key, _ in lock.iterate_entries()
        if key.variable in variables and (key.variable, key.service) in sources and key not in values
    ]
