"""Cutting of bodies into pieces that come again: the members and the elements of the top-level lists of a JSON text.

The pieces of a body are slices of it, whatever its spacing, key order and escapes, so that their concatenation is the
body. What went before in a conversation is cut where it was cut before, without being read again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterator
from itertools import pairwise
from json import JSONDecodeError, JSONDecoder
from json.decoder import WHITESPACE  # type: ignore[attr-defined]
from typing import NamedTuple

_SHORTEST = 32  # bytes of a piece: a shorter one costs more than it saves
_LONG_MEMBER = 64  # bytes of a member that is cut out of those around it
_BLOCK = 65_536  # bytes of a piece of what is no JSON object
_LONGEST = 524_288  # bytes of a body that is kept to compare the next one with
_MOST_BODIES = 64
_OBJECT, _LIST = "object", "list"  # inside which the scan goes on behind a cut
_read_value = JSONDecoder(strict=False).raw_decode
_skip = WHITESPACE.match

Cut = tuple[int, str]


class NotAnObjectError(ValueError):
    """The text is no JSON object."""


def scan_object(text: str, position: int = 0, state: str = "") -> Iterator[Cut]:
    """Yield where a JSON object may be cut, each time with what the scan is inside of then.

    Args:
        text: The object, one character a byte.
        position: Where to go on; 0 for the beginning.
        state: What that place is inside of.

    Raises:
        NotAnObjectError: It is none.
    """
    try:
        yield from _scan(text, position, state)
    except (JSONDecodeError, IndexError, RecursionError):
        raise NotAnObjectError from None


def _scan(text: str, position: int, state: str) -> Iterator[Cut]:
    if not state:
        position = _skip(text, 0).end()
        if text[position] != "{":
            raise IndexError
        position += 1
    while True:
        if state == _LIST:
            position = yield from _scan_list(text, position)
        start = position = _skip(text, position).end()
        if text[position] == "}":
            if _skip(text, position + 1).end() != len(text):
                raise IndexError
            return
        position = _skip_name(text, position)
        if text[position] == "[":
            state, position = _LIST, position + 1
            yield position, _LIST
            continue
        state, position = _OBJECT, _read_value(text, position)[1]
        if position - start >= _LONG_MEMBER:
            yield start, _OBJECT
            yield position, _OBJECT


def _skip_name(text: str, position: int) -> int:
    """Return where the value of a member starts."""
    if text[position] == ",":
        position = _skip(text, position + 1).end()
    if text[position] != '"':
        raise IndexError
    position = _skip(text, _read_value(text, position)[1]).end()
    if text[position] != ":":
        raise IndexError
    return int(_skip(text, position + 1).end())


def _scan_list(text: str, position: int) -> Generator[Cut, None, int]:
    """Yield the ends of the elements of a list; return the position behind it."""
    while True:
        position = _skip(text, position).end()
        if text[position] == "]":
            return position + 1
        if text[position] == ",":
            position = _skip(text, position + 1).end()
        position = _read_value(text, position)[1]
        yield position, _LIST


class _Body(NamedTuple):
    """A body that was cut, and where; the pieces between the cuts."""

    data: bytes
    cuts: list[Cut]
    pieces: list[bytes]


class Cutter:
    """Cuts the bodies of conversations; remembers the last one of each, so that the cost is that of what is new."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[Hashable, _Body] = OrderedDict()

    def cut(self, data: bytes, lane: tuple[Hashable, str]) -> list[bytes]:
        """Return slices of a body whose concatenation it is.

        Args:
            data: The body.
            lane: The conversation and the part: bodies of one lane are much alike, those of the same part are a bit.
        """
        base = self._bodies.get(lane) or self._bodies.get(lane[1]) or _Body(b"", [], [])
        try:
            cuts, head, tail = _find_cuts(data, base)
        except NotAnObjectError:
            return [data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)] or [b""]
        places = [0, *(position for position, _ in cuts), len(data)]
        middle = [data[start:end] for start, end in pairwise(places[head : len(places) - tail])]
        # The same objects again, for they know their hash.
        pieces = [*base.pieces[:head], *middle, *base.pieces[len(base.pieces) - tail :]]
        if len(data) <= _LONGEST:
            for key in (lane, lane[1]):
                self._bodies[key] = _Body(data, cuts, pieces)
                self._bodies.move_to_end(key)
            while len(self._bodies) > _MOST_BODIES:
                self._bodies.popitem(last=False)
        return pieces


def _find_cuts(data: bytes, base: _Body) -> tuple[list[Cut], int, int]:
    """Return where to cut a body: as the one before where both are the same, else by reading it.

    Also how many pieces at its beginning, and at its end, are those of the one before.
    """
    head = _count_same_at_start(data, base)
    cuts, offset = base.cuts[:head], len(data) - len(base.data)
    end_cuts = [
        (place + offset, state) for place, state in base.cuts[len(base.cuts) - _count_same_at_end(data, base) :]
    ]
    numbers = {cut: number for number, cut in enumerate(end_cuts)}
    start, state = cuts[-1] if cuts else (0, "")
    for cut in scan_object(data.decode("latin-1"), start, state):
        if (number := numbers.get(cut)) is not None:
            return cuts + end_cuts[number:], head, len(end_cuts) - number
        if cut[0] - start >= _SHORTEST:
            cuts.append(cut)
            start = cut[0]
    return cuts, head, 0


def _count_same_at_start(data: bytes, base: _Body) -> int:
    """Return before how many cuts both bodies are the same."""
    end = 0
    for number, piece in enumerate(base.pieces):  # compared in place: a slice would be copied
        if not data.startswith(piece, end):
            return max(number - (data[end : end + 1] != base.data[end : end + 1]), 0)
        end += len(piece)
    return len(base.cuts)


def _count_same_at_end(data: bytes, base: _Body) -> int:
    """Return behind how many cuts both bodies are the same."""
    end = len(data)
    for number, piece in enumerate(reversed(base.pieces)):
        if not data.endswith(piece, 0, end):
            return number
        end -= len(piece)
    return len(base.cuts)
