"""What is live and missing becomes an entry; what is there stays; what was not seen may go."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from otel_agentops.lock.check import listed
from otel_agentops.lock.edit import HEAD, edited
from otel_agentops.lock.live import Live
from otel_agentops.lock.model import Entry, Key, Lock, LockError
from otel_agentops.lock.text import parsed, read
from otel_agentops.slo.generate import write


@dataclass(frozen=True)
class Update:
    """A lock file before and after. unseen: entries that were not live, taken out or not."""

    path: Path
    before: str | None
    after: str
    unseen: tuple[Key, ...]

    @property
    def diff(self) -> str:
        """What changes, as people read it; empty where nothing does."""
        old, new = (self.before or "").splitlines(keepends=True), self.after.splitlines(keepends=True)
        names = (str(self.path) if self.before is not None else "/dev/null", str(self.path))
        return "" if self.after == self.before else "".join(unified_diff(old, new, *names))

    def write(self) -> None:
        """Whole or not at all."""
        write({self.path.name: self.after}, self.path.parent)


def update(
    path: Path, live: Live, owner: str | None, day: datetime.date, variables: Sequence[str], prune: bool = False
) -> Update:
    """The file with every live value of some variables. Raises LockError."""
    before = read(path) if path.exists() else None
    lock = parsed(HEAD if before is None else before, path)
    missing = [seen for seen in live.known if seen.variable in variables and not listed(lock, seen)]
    if missing and not owner:
        raise LockError(f"{path}: {len(missing)} new values need somebody who answers for them; say who with --owner")
    new = []
    for seen in missing:
        key = Key(seen.variable, seen.scope, seen.service, seen.value or "")
        new.append((key, Entry(value=key.value, service=key.service, owner=str(owner), date=day)))
    unseen = tuple(_unseen(lock, live, variables))
    after = edited(HEAD if before is None else before, path, new, unseen if prune else ())
    return Update(path, before, after, unseen)


def _unseen(lock: Lock, live: Live, variables: Sequence[str]) -> list[Key]:
    """Entries that were not live, of variables that were: a source that knows nothing proves nothing."""
    seen = {(one.variable, one.scope, service, one.value) for one in live.known for service in (one.service, None)}
    known = {(one.variable, service) for one in live.known for service in (one.service, None)}
    return [
        key
        for key, _ in lock.entries()
        if key.variable in variables and (key.variable, key.service) in known and key not in seen
    ]
