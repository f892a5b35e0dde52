"""A comparison of what runs with what may run: unlisted, floating and expired values, and unwatched variables."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from otel_agentops.lock.live import UNKNOWN, Live, LiveValue
from otel_agentops.lock.model import Entry, Key, Lock

# 2026-03-01 or 20260301 as a word of its own. Fewer digits (0613, 2411) may be anything.
_DATE = re.compile(r"(?<!\d)20\d\d(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)")


class Unlisted(NamedTuple):
    """A live value that nobody approved.

    Attributes:
        live_value: The value and its scope.
        times: How often it was seen.
        share: Its part of what was seen in its scope.
    """

    live_value: LiveValue
    times: float
    share: float


class Floating(NamedTuple):
    """A model id that may mean another model tomorrow.

    Attributes:
        service: The service that asks for it.
        request_model: The id that was asked for.
        state: `resolved` if another id answered, so that it is an alias; `echoed` if the id came back and has no date,
            which proves nothing; `unreported` if no id came back.
        response_model: The id that answered.
        times: How often it was seen.
        share: Its part of the service's model calls.
    """

    service: str
    request_model: str
    state: str
    response_model: str | None
    times: float
    share: float


@dataclass(frozen=True)
class Report:
    """Everything that is wrong; `unwatched` holds service and variable of what is live and has no entry at all."""

    unlisted: tuple[Unlisted, ...]
    floating: tuple[Floating, ...]
    expired: tuple[tuple[Key, Entry], ...]
    unwatched: tuple[tuple[str, str], ...]

    @property
    def is_passed(self) -> bool:
        """Return True if everything that is watched is approved."""
        return not (self.unlisted or self.expired)


def check_lock(lock: Lock, live: Live, today: datetime.date) -> Report:
    """Report everything that is wrong, in the order of the lock file."""
    scopes: dict[LiveValue, float] = defaultdict(float)
    for each in live.values:
        scopes[each._replace(value=None)] += live.counts[each]
    unlisted = (
        Unlisted(each, live.counts[each], live.counts[each] / scopes[each._replace(value=None)])
        for each in live.values
        if is_watched(lock, each) and not is_listed(lock, each)
    )
    expired = ((key, entry) for key, entry in lock.iterate_entries() if entry.until and entry.until < today)
    unwatched = dict.fromkeys((each.service, each.variable) for each in live.values if not is_watched(lock, each))
    return Report(tuple(unlisted), tuple(_find_floating(live)), tuple(expired), tuple(unwatched))


def is_listed(lock: Lock, live_value: LiveValue) -> bool:
    """Return True if a value is approved for its service, or for all."""
    entries = lock.get_scopes(live_value.variable).get(live_value.scope, ())
    return any(entry.value == live_value.value and entry.service in (None, live_value.service) for entry in entries)


def is_watched(lock: Lock, live_value: LiveValue) -> bool:
    """Return True if the variable has one entry for the service; then every value of it must be listed."""
    scopes = lock.get_scopes(live_value.variable).values()
    return any(entry.service in (None, live_value.service) for entries in scopes for entry in entries)


def _find_floating(live: Live) -> Iterator[Floating]:
    models = sorted(
        (each for each in live.counts if each.variable == "model"), key=lambda each: (*each[:3], each[3] or "")
    )
    calls: dict[str, float] = defaultdict(float)
    for each in models:
        calls[each.service] += live.counts[each]
    for each in models:
        if state := _classify_answer(each.scope, each.value):
            count = live.counts[each]
            yield Floating(each.service, each.scope, state, each.value, count, count / calls[each.service])


def _classify_answer(request_model: str, response_model: str | None) -> str | None:
    if request_model == UNKNOWN:
        return None  # there is nothing to compare the answer with
    if response_model is None:
        return "unreported"
    if response_model != request_model:
        return "resolved"
    return None if _DATE.search(request_model) else "echoed"
