"""The edit distance, held against its definition, and its bounds."""

from __future__ import annotations

import random

import pytest

from otel_agentops import _edit_distance
from otel_agentops._edit_distance import measure_edit_ratio


def by_definition(left: str, right: str) -> int:
    """Wagner and Fischer's table."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        above, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def test_edit_ratio_is_the_levenshtein_distance() -> None:
    dice = random.Random(7)

    def text() -> str:
        return "".join(dice.choice("abcd") for _ in range(dice.randrange(70)))

    for left, right in ((text(), text()) for _ in range(500)):
        longer = max(len(left), len(right))
        expected = round(by_definition(left, right) / longer, 4) if longer else 0.0
        assert measure_edit_ratio(left, right) == measure_edit_ratio(right, left) == expected, (left, right)


@pytest.mark.parametrize(
    ("draft", "kept", "expected"),
    [
        ("", "", 0.0),
        ("same", "same", 0.0),
        ("a  b\n\tc ", "a b c", 0.0),
        ("", "all new", 1.0),
        ("all", "", 1.0),
        ("kitten", "sitting", round(3 / 7, 4)),
        ("abc", "xyz", 1.0),
        ("naïve 🙂", "naive 🙂", round(1 / 7, 4)),
    ],
)
def test_edit_ratio_of_examples(draft: str, kept: str, expected: float) -> None:
    assert measure_edit_ratio(draft, kept) == expected


def test_long_texts_are_compared_by_word() -> None:
    words = [f"word{number}" for number in range(1000)]
    assert measure_edit_ratio(" ".join(words), " ".join([*words[:500], "other", *words[501:]])) == 0.001


def test_compared_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    distance = _edit_distance._count_edits
    monkeypatch.setattr(
        _edit_distance, "_count_edits", lambda *texts: compared.append(list(map(len, texts))) or distance(*texts)
    )
    assert measure_edit_ratio("a " * 10_000, "a " * 9_000 + "b") == 0.0
    assert measure_edit_ratio("x" * 100_000, "y" * 100_000) == 1.0
    assert measure_edit_ratio("x" * 4000, "x" * 4000) == 0.0
    assert compared == [[4000, 4000], [1, 1], [4000, 4000]]
