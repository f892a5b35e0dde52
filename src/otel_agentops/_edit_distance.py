"""How much of a text was changed: the edit distance of two texts as a part of the longer one."""

from __future__ import annotations

from collections.abc import Sequence

_CHARACTERS = 4000  # texts up to this length are compared by character, longer ones by word
_WORDS = 4000  # of a text; what comes later is not compared


def rework(draft: str, kept: str) -> float:
    """0 where nothing was changed, 1 where nothing was kept; what differs in white space alone is not changed.

    Levenshtein distance over the length of the longer text, counted in characters, or in words where a text is longer
    than 4000 characters; of more than 4000 words the first 4000 are compared. So the time is bounded: at most 4000
    steps on integers of 4000 bits, under 10 ms.
    """
    before, after = draft.split(), kept.split()
    left: Sequence[str] = " ".join(before)
    right: Sequence[str] = " ".join(after)
    if max(len(left), len(right)) > _CHARACTERS:
        left, right = before[:_WORDS], after[:_WORDS]
    longer = max(len(left), len(right))
    return round(_distance(left, right) / longer, 4) if longer else 0.0


def _distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Levenshtein distance with one bit for each element of the left text (Myers 1999, doi.org/10.1145/316542.316550).

    `up` and `down`: where the distance grows or shrinks by one from an element of the left text to the next.
    difflib has no distance, and takes cubic time at worst.
    """
    if not left or not right:
        return len(left) + len(right)
    places: dict[str, int] = {}
    for position, element in enumerate(left):
        places[element] = places.get(element, 0) | 1 << position
    whole, last = (1 << len(left)) - 1, 1 << (len(left) - 1)
    up, down, distance = whole, 0, len(left)
    for element in right:
        same = places.get(element, 0)
        vertical = same | down
        horizontal = (((same & up) + up) ^ up) | same
        grows = down | (whole & ~(horizontal | up))
        shrinks = up & horizontal
        distance += bool(grows & last) - bool(shrinks & last)
        grows = grows << 1 | 1
        up = (shrinks << 1 | ~(vertical | grows)) & whole
        down = grows & vertical & whole
    return distance
