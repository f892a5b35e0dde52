"""The onset of an incident: the most likely change point of bad / events, and how rare a move near it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import expm1, log
from typing import NamedTuple

from otel_agentops.triage.facts import Onset

WITHIN = 1.92  # of the log-likelihood: half of the 95 % quantile of chi-squared with one degree of freedom
HIGHEST_RARITY = 100.0
SLACK_H = 5 / 60  # a move is reported to five minutes
MEMORY_H = 336  # two weeks, over which moves are counted


class Minute(NamedTuple):
    """Events and bad events of the minute that ended at a time."""

    end_s: float
    events: float
    bad: float


def find_onset(minutes: Sequence[Minute], length_s: float = 60) -> Onset | None:
    """Find the time at which the part of bad events rose.

    Two constant ratios, one before and one after, are fitted for each possible time. The interval holds the times whose
    log-likelihood is within 1.92 of the best.

    Args:
        minutes: In order, without a gap.
        length_s: Seconds that one of them covers.

    Returns:
        The onset; None if no rise is likelier than none at all.
    """
    events = [0.0, *accumulate(minute.events for minute in minutes)]
    bad = [0.0, *accumulate(minute.bad for minute in minutes)]
    total, all_bad = events[-1], bad[-1]
    fits: dict[int, float] = {}
    for index in range(1, len(minutes)):
        before, after = events[index], total - events[index]
        if before and after and (all_bad - bad[index]) / after > bad[index] / before:
            fits[index] = _weigh_ratio(before, bad[index]) + _weigh_ratio(after, all_bad - bad[index])
    best = max(fits.values(), default=0.0)
    if not fits or best - _weigh_ratio(total, all_bad) < WITHIN:
        return None
    # Minutes without events fit equally well; the last one begins with events.
    at = max(index for index, fit in fits.items() if fit == best)
    near = [index for index, fit in fits.items() if fit >= best - WITHIN]
    at_s, earliest_s, latest_s = (minutes[index].end_s - length_s for index in (at, min(near), max(near)))
    return Onset(
        length_s, at_s, earliest_s, latest_s, total - events[at], all_bad - bad[at], min(1, bad[at] / events[at])
    )


def _weigh_ratio(events: float, bad: float) -> float:
    """Return the log-likelihood of the most likely ratio."""
    good = events - bad
    return (bad * log(bad / events) if bad > 0 else 0.0) + (good * log(good / events) if good > 0 else 0.0)


def compute_rarity(distance_s: float, other_moves: int, time_scale: float = 1) -> float:
    """Return the odds, to one, that a move is that close to the onset not by chance.

    Args:
        distance_s: Seconds between the move and the onset.
        other_moves: Number of other moves of the variable within two weeks.
        time_scale: How many times faster everything is than in production.
    """
    hours = abs(distance_s) * time_scale / 3600 + SLACK_H
    per_hour = (other_moves + 1) / MEMORY_H
    return min(-1 / expm1(-per_hour * hours), HIGHEST_RARITY)
