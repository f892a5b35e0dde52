"""The edit distance of two texts, as a share of the longer one."""

from __future__ import annotations

from collections.abc import Sequence

_CHARACTERS = 4000  # texts up to this length are compared by character, longer ones by word
_WORDS = 4000  # of a text; later words are not compared


def measure_edit_ratio(draft: str, final: str) -> float:
    """Return the share of a text that was edited, from 0 to 1.

    Levenshtein distance over the length of the longer text, counted in characters, or in words if a text is longer than
    4000 characters; of more than 4000 words the first 4000 are compared. The time is bounded: at most 4000 steps on
    integers of 4000 bits, under 10 ms. White space alone is no edit.
    """
    draft_words, final_words = draft.split(), final.split()
    left: Sequence[str] = " ".join(draft_words)
    right: Sequence[str] = " ".join(final_words)
    if max(len(left), len(right)) > _CHARACTERS:
        left, right = draft_words[:_WORDS], final_words[:_WORDS]
    longer = max(len(left), len(right))
    return round(_count_edits(left, right) / longer, 4) if longer else 0.0


def _count_edits(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the Levenshtein distance, by the bit-parallel algorithm of Myers.

    Myers 1999, doi.org/10.1145/316542.316550: one bit for each element of the left text. A bit of `up` or `down` is set
    if the distance grows or shrinks by one from that element to the next. difflib has no distance, and takes cubic time
    at worst.
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
