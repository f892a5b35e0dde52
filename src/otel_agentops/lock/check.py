"""What runs held against what may run: unlisted, floating, expired, and what nobody watches."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from otel_agentops.lock.live import UNKNOWN, Live, Seen
from otel_agentops.lock.model import Entry, Key, Lock

# 2026-03-01 or 20260301 as a word of its own. Fewer digits (0613, 2411) may be anything.
_DATED = re.compile(r"(?<!\d)20\d\d(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)")


class Unlisted(NamedTuple):
    """A live value that nobody approved. times: how often it was seen; share: of what was seen in its scope."""

    seen: Seen
    times: float
    share: float


class Floating(NamedTuple):
    """A model id that may mean another model tomorrow. share: of the service's model calls.

    state: `resolved` where another id answered, so that it is an alias; `echoed` where the id asked for came back and
    has no date, which proves nothing; `unreported` where no id came back.
    """

    service: str
    asked: str
    state: str
    answered: str | None
    times: float
    share: float


@dataclass(frozen=True)
class Report:
    """What was found. unwatched: variables of services that are live and have no entry at all."""

    unlisted: tuple[Unlisted, ...]
    floating: tuple[Floating, ...]
    expired: tuple[tuple[Key, Entry], ...]
    unwatched: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether everything that is watched is approved."""
        return not (self.unlisted or self.expired)


def check(lock: Lock, live: Live, today: datetime.date) -> Report:
    """Everything that is wrong, in the order of the lock file."""
    scopes: dict[Seen, float] = defaultdict(float)
    for seen in live.known:
        scopes[seen._replace(value=None)] += live.counts[seen]
    unlisted = (
        Unlisted(seen, live.counts[seen], live.counts[seen] / scopes[seen._replace(value=None)])
        for seen in live.known
        if watched(lock, seen) and not listed(lock, seen)
    )
    expired = ((key, entry) for key, entry in lock.entries() if entry.until and entry.until < today)
    unwatched = dict.fromkeys((seen.service, seen.variable) for seen in live.known if not watched(lock, seen))
    return Report(tuple(unlisted), tuple(_floating(live)), tuple(expired), tuple(unwatched))


def listed(lock: Lock, seen: Seen) -> bool:
    """Whether a value is approved for its service, or for all."""
    entries = getattr(lock, seen.variable).get(seen.scope, ())
    return any(entry.value == seen.value and entry.service in (None, seen.service) for entry in entries)


def watched(lock: Lock, seen: Seen) -> bool:
    """A variable of a service is watched as soon as it has one entry; then every value of it must be listed."""
    scopes = getattr(lock, seen.variable).values()
    return any(entry.service in (None, seen.service) for entries in scopes for entry in entries)


def _floating(live: Live) -> Iterator[Floating]:
    models = sorted(
        (seen for seen in live.counts if seen.variable == "model"), key=lambda seen: (*seen[:3], seen[3] or "")
    )
    calls: dict[str, float] = defaultdict(float)
    for seen in models:
        calls[seen.service] += live.counts[seen]
    for seen in models:
        if state := _state(seen.scope, seen.value):
            count = live.counts[seen]
            yield Floating(seen.service, seen.scope, state, seen.value, count, count / calls[seen.service])


def _state(asked: str, answered: str | None) -> str | None:
    if asked == UNKNOWN:
        return None  # nothing to hold the answer against
    if answered is None:
        return "unreported"
    if answered != asked:
        return "resolved"
    return None if _DATED.search(asked) else "echoed"
