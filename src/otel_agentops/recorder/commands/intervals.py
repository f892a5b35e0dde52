"""Intervals of rates and of their difference, at 95 %.

Wilson's interval of a proportion, and Newcombe's of a difference, which is made of two of Wilson's (his method 10):
R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17, 1998,
https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C873::AID-SIM779%3E3.0.CO;2-I
"""

from __future__ import annotations

from math import sqrt

_Z = 1.959964  # 95 % of a normal distribution


def compute_wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the interval of a rate; all of it without a trial."""
    if not trials:
        return 0.0, 1.0
    rate, square = hits / trials, _Z * _Z
    middle = rate + square / (2 * trials)
    half = _Z * sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    low, high = ((middle + sign * half) / (1 + square / trials) for sign in (-1, 1))
    return (low if hits else 0.0), (high if hits < trials else 1.0)


def compute_newcombe(hits: int, trials: int, other_hits: int, other_trials: int) -> tuple[float, float]:
    """Return the interval of the first rate less the second."""
    if not trials or not other_trials:
        return -1.0, 1.0
    first, second = hits / trials, other_hits / other_trials
    (low, high), (other_low, other_high) = compute_wilson(hits, trials), compute_wilson(other_hits, other_trials)
    difference = first - second
    return (
        difference - sqrt((first - low) ** 2 + (other_high - second) ** 2),
        difference + sqrt((high - first) ** 2 + (second - other_low) ** 2),
    )
