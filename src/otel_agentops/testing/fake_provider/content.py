"""Parts of a text and vectors of texts, which all protocols have in common."""

from __future__ import annotations

import re
import zlib


def split_text(text: str, count: int) -> list[str]:
    """Return the text in `count` parts of the same length; the last ones may be shorter or empty."""
    size = max(1, -(-len(text) // max(1, count)))
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return parts + [""] * (count - len(parts))


def embed_text(text: str, size: int) -> list[float]:
    """Return a vector of length 1, which texts with the same words have in common, in any order."""
    counts = [0.0] * size
    for word in re.findall(r"\w{3,}", text.lower()):
        counts[zlib.crc32(word.encode()) % size] += 1
    length = sum(count * count for count in counts) ** 0.5 or 1.0
    return [round(count / length, 6) for count in counts]
