"""The onset of an incident and the rarity of a move near it, against values that are known."""

from __future__ import annotations

import random

import pytest

from otel_agentops.triage.facts import Onset
from otel_agentops.triage.onset import Minute, compute_rarity, find_onset
from otel_agentops.triage.words import format_clock, format_odds, format_share, format_span


def make_minutes(*ratios: float, events: float = 10) -> list[Minute]:
    return [Minute(60.0 * (number + 1), events, events * ratio) for number, ratio in enumerate(ratios)]


def test_a_step_is_found_at_its_minute() -> None:
    onset = find_onset(make_minutes(*[0.1] * 100, *[0.5] * 20))
    assert onset == Onset(60, 6000, 6000, 6000, 200, 100, pytest.approx(0.1))


@pytest.mark.parametrize("ratios", [[0.1] * 60, [0.0] * 60, [0.5] * 30 + [0.1] * 30, []])
def test_no_rise_has_no_onset(ratios: list[float]) -> None:
    assert find_onset(make_minutes(*ratios)) is None


def test_minutes_without_events_are_not_the_onset() -> None:
    quiet = [Minute(60.0 * number, 0, 0) for number in range(31, 60)]
    after = [Minute(60.0 * number, 10, 5) for number in range(60, 80)]
    onset = find_onset([*make_minutes(*[0.0] * 30), *quiet, *after])
    assert onset is not None
    assert (onset.earliest_s, onset.at_s) == (1800, 59 * 60)


def test_interval_holds_the_true_onset_in_nine_of_ten_runs() -> None:
    """400 runs of 10 tasks a minute that turn from 2 to 20 % bad."""
    numbers = random.Random(7)
    hits = 0
    for _ in range(400):
        ratios = [0.02] * 120 + [0.2] * 40
        minutes = [
            Minute(60.0 * (at + 1), 10, sum(numbers.random() < ratio for _ in range(10)))
            for at, ratio in enumerate(ratios)
        ]
        onset = find_onset(minutes)
        assert onset is not None
        hits += onset.earliest_s <= 120 * 60 <= onset.latest_s
    assert hits >= 360


@pytest.mark.parametrize(
    ("distance_s", "other_moves", "scale", "rarity"),
    [
        (60, 0, 1, 100),  # 1 / (1 - exp(-0.1 / 336)) is 3,360
        (3600, 20, 1, pytest.approx(15.3, abs=0.1)),
        (-3600, 20, 1, pytest.approx(15.3, abs=0.1)),
        (10, 20, 360, pytest.approx(15.3, abs=0.1)),
        (6 * 3600, 335, 1, pytest.approx(1.0, abs=0.01)),
    ],
)
def test_rarity_falls_with_distance_and_moves(distance_s: float, other_moves: int, scale: float, rarity: float) -> None:
    assert compute_rarity(distance_s, other_moves, scale) == rarity


def test_numbers_are_written_with_the_digits_that_matter() -> None:
    assert [format_share(share) for share in (0, 0.0004, 0.019, 0.0994, 0.0996, 0.31, 1)] == [
        *("0 %", "<0.1 %", "1.9 %", "9.9 %", "10 %", "31 %", "100 %")
    ]
    assert [format_odds(odds) for odds in (0.3, 2.44, 9.96, 64, 1912, 5e7, float("inf"), None)] == [
        *("0.3 : 1", "2.4 : 1", "10 : 1", "64 : 1", "1,900 : 1", "over 1,000,000 : 1", "over 1,000,000 : 1"),
        "unknown odds",
    ]
    assert [format_span(seconds) for seconds in (3, 60, 5340, 5400, 47 * 3600, 2 * 86400)] == [
        *("3 s", "1 min", "89 min", "2 h", "47 h", "2 d")
    ]
    now = 1_794_454_200
    assert [format_clock(now - ago, now) for ago in (30, 240, 86400)] == ["03:29:30", "03:26", "Nov 11 03:30"]
