"""Redaction of what is recorded: on pieces, before they are in a segment, each distinct piece once.

Secrets are always taken out by the patterns of `otel_agentops._redaction`, also inside base64. A function of the user
comes before that, and sees what is hidden so as well. A piece in which nothing is found keeps its very bytes; another
is written anew as JSON.
"""

from __future__ import annotations

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, TypeAlias
from urllib.parse import unquote

from otel_agentops._redaction import REDACTED, Redactor

_MOST_PIECES = 4096  # whose result is remembered
_LONGEST = 65_536  # bytes of a piece whose result is remembered
# Also in lines of 60 characters or more, as mail and PEM have it.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{60,}\r?\n)+[A-Za-z0-9+/_-]+={0,2}|[A-Za-z0-9+/_-]{24,}={0,2}")
_WORD = re.compile(r"[^\s\"'<>]+")
_ESCAPED = re.compile(r"\\+(?:u00|x)([2-7][0-9A-Fa-f])")
_READABLE = re.compile(rb"[\x20-\x7e]{16,}")  # text in the midst of binary data
_SHORTEST = 16  # characters that a secret has at least, encoded
_SHORTEST_SECRET = 4  # that is taken out wherever it stands in a stream
_DEEPEST = 8  # encodings inside of each other; what is deeper is left out


Place: TypeAlias = tuple[Any, ...]  # names and numbers that lead to a value inside of another one


class PieceRedactor:
    """Redacts bodies piece by piece.

    redactor: The redaction of the process, with the user's function.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._results: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()

    def redact_body(self, name: str, pieces: Sequence[bytes]) -> Sequence[bytes] | None:
        """Return the pieces of a body without secrets, the same object if there were none; None if it may not stay.

        Args:
            name: The name of the part.
            pieces: Slices of it, as `cutting` makes them.
        """
        result, frame = [], []
        for piece in pieces:
            redacted = self._redact_piece(name, piece)
            if redacted is None:  # the text between elements: it is read as one
                frame.append(piece)
            result.append(piece if redacted is None else redacted)
        if frame and self._redact_whole(name, b"".join(frame)) != b"".join(frame):
            whole = self._redact_whole(name, b"".join(pieces))
            return None if whole is None else [whole]
        return pieces if result == list(pieces) else result

    def _redact_piece(self, name: str, piece: bytes) -> bytes | None:
        """Return elements of a list, or members of an object, without secrets; None if the piece is neither."""
        key = name, piece
        if (before := self._results.get(key)) is not None:
            self._results.move_to_end(key)
            return before
        bare = piece.lstrip(b" \t\r\n,")
        for opening, closing in ((b"[", b"]"), (b"{", b"}")):
            try:
                value = json.loads(opening + bare + closing)
            except (ValueError, RecursionError):
                continue
            if opening == b"[":
                elements = [self._redact_value(name, element) for element in value]
                redacted = [None if element is _REFUSED else element for element in elements]
            else:
                redacted = self._redact_value(name, value)
            if redacted == value:
                result = piece
            elif redacted is _REFUSED:
                return None
            else:
                result = piece[: len(piece) - len(bare)] + _dump(redacted)[1:-1]
            if len(piece) <= _LONGEST:
                self._results[key] = result
                if len(self._results) > _MOST_PIECES:
                    self._results.popitem(last=False)
            return result
        return None

    def _redact_whole(self, name: str, body: bytes) -> bytes | None:
        """Return a body without secrets; None if nothing of it may stay, because the user says so or it is binary."""
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            try:
                text = body.decode()
            except UnicodeDecodeError:
                return None
            redacted_text = self._redact_value(name, text)
            if not isinstance(redacted_text, str):
                return None
            return body if redacted_text == text else redacted_text.encode()
        redacted = self._redact_value(name, value)
        if redacted is _REFUSED:
            return None
        return body if redacted == value else _dump(redacted)

    def _redact_value(self, name: str, value: Any) -> Any:
        """Return a JSON value without secrets; `_REFUSED` if the user's function leaves it out."""
        redact = partial(self._redactor.redact, f"recorder.{name}")
        redacted = redact(value)
        if redacted is None and value is not None:
            return _REFUSED
        return _map_texts(redacted, lambda text: redact_hidden(text, redact))

    def redact_headers(self, headers: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return headers without secrets; None if nothing of them may stay."""
        redacted = self._redact_value("headers", dict(headers))
        return redacted if isinstance(redacted, dict) else None

    def redact_chunks(self, lines: list[bytes]) -> list[bytes] | None:
        """Return the chunks of a stream without secrets, also those that are spread over several chunks.

        The texts at one place of the chunks are read as one text, first those of each answer, tool call or block of an
        answer, which may come by turns; if a secret is in it, the redacted whole goes in the first of them and the
        others become empty.
        """
        values = [_map_base64(json.loads(line), _read_base64) for line in lines]
        changed: set[int] = set()
        lanes = _find_lanes(values, _find_lane)
        lists = [lanes]
        if len(places := _find_lanes(values, _join_place)) != len(lanes):  # else each place has one index alone
            lists.append(places)
        for texts_by_lane in lists:
            for places_of_text in texts_by_lane.values():
                redacted = self._redact_lane(values, places_of_text)
                if redacted is _REFUSED:
                    return None
                if redacted:
                    changed.update(number for number, _ in places_of_text)
        result = []
        for number, (line, value) in enumerate(zip(lines, values, strict=True)):
            redacted_value = self._redact_value("chunks", value)
            if redacted_value is _REFUSED:
                return None
            is_same = number not in changed and redacted_value == value
            result.append(line if is_same else _dump(_map_base64(redacted_value, _write_base64)))
        return lines if result == lines else result

    def _redact_lane(self, values: list[Any], places: Sequence[tuple[int, Place]]) -> Any:
        """Take secrets out of the texts of some places, read as one; return True if there was one.

        `_REFUSED` if nothing of them may stay.
        """
        texts = [_get(values[number], place) for number, place in places]
        whole = "".join(texts)
        redacted = self._redact_value("chunks", whole)
        if redacted is _REFUSED or redacted == whole:
            return _REFUSED if redacted is _REFUSED else False
        clean = REDACTED
        if isinstance(redacted, str):
            clean = _take_out(redacted, [(text, self._redact_value("chunks", text)) for text in texts])
        for (number, place), text in zip(places, chain([clean], repeat("")), strict=False):
            _put(values[number], place, text)
        return True


_REFUSED = object()


def redact_hidden(text: str, redact: Callable[[Any], Any], depth: int = 0) -> str:
    """Return a text without what is hidden inside base64, percent-encoding, escapes, or JSON within it.

    Args:
        text: Any text.
        redact: Returns a JSON value without what may not stay; None if nothing of it may.
        depth: How many encodings it was inside of.
    """
    if len(text) < _SHORTEST:
        return text
    if depth > _DEEPEST:
        return REDACTED
    go_on = partial(redact_hidden, redact=redact, depth=depth + 1)
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            redacted = _map_texts(redact(value), go_on)
            return text if redacted == value else _dump(redacted).decode()
    if "\\" in text and (plain := _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)) != text:
        text = _choose_clean(text, plain, redact(plain))
    text = _BASE64.sub(lambda match: REDACTED if _has_secret(match[0], redact, go_on) else match[0], text)
    return _WORD.sub(lambda match: _redact_percent(match[0], redact, go_on), text) if "%" in text else text


def _choose_clean(text: str, decoded: str, redacted: Any) -> str:
    """Return a text that was encoded as it is if nothing was found in it, else what is left of it."""
    if redacted == decoded:
        return text
    return redacted if isinstance(redacted, str) else REDACTED


def _has_secret(text: str, redact: Callable[[Any], Any], go_on: Callable[[str], str]) -> bool:
    """Return True if base64 has something that may not stay, be it text or binary data with text in it."""
    text = re.sub(r"[\r\n=]", "", text).replace("-", "+").replace("_", "/")
    for start in range(4):  # what stands before it, as the path of an address, may be taken for a part of it
        digits = text[start:]
        digits = digits[:-1] if len(digits) % 4 == 1 else digits
        data = base64.b64decode(digits + "=" * (-len(digits) % 4))
        try:
            decoded = data.decode()
        except UnicodeDecodeError:
            runs = (run[0].decode() for run in _READABLE.finditer(data))
            if any(redact(run) != run for run in runs):
                return True
        else:
            decoded = decoded.replace("\0", "")  # of UTF-16
            if redact(decoded) != decoded or go_on(decoded) != decoded:
                return True
    return False


def _redact_percent(text: str, redact: Callable[[Any], Any], go_on: Callable[[str], str]) -> str:
    decoded = unquote(text) if "%" in text else text
    if decoded == text:
        return text
    redacted = redact(decoded)
    return _choose_clean(text, decoded, go_on(redacted) if isinstance(redacted, str) else redacted)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text changed, also the names of members."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_texts(member, change) for member in value]
    if isinstance(value, dict):
        return {change(name): _map_texts(member, change) for name, member in value.items()}
    return value


def _find_lanes(
    values: Sequence[Any], find_lane: Callable[[Any, Place], object]
) -> dict[object, list[tuple[int, Place]]]:
    """Return where the texts of a stream are: number of the chunk and place in it, by what they are part of."""
    lanes: dict[object, list[tuple[int, Place]]] = {}
    for number, value in enumerate(values):
        for place in _iterate_texts(value):
            lanes.setdefault(find_lane(value, place), []).append((number, place))
    return lanes


def _iterate_texts(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the names and numbers that lead to every text of a JSON value."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, (list, dict)):
        for name, member in enumerate(value) if isinstance(value, list) else value.items():
            yield from _iterate_texts(member, (*place, name))


def _take_out(whole: str, texts: Iterable[tuple[str, Any]]) -> str:
    """Return texts that were joined and redacted without what a redaction of each finds.

    What is told whole in several chunks, such as the instructions of a response, is no sequence of pieces: behind the
    secret of one the name of the next is not seen.

    Args:
        whole: All of them, joined, without what was found there.
        texts: Each as it was, and without what was found in it alone.
    """
    secrets: set[str] = set()
    for text, redacted in texts:
        if redacted != text:
            removed = _list_removed(text, str(redacted))
            secrets.update(secret for secret in removed if len(secret) >= _SHORTEST_SECRET)
    for secret in sorted(secrets, key=len, reverse=True):
        whole = whole.replace(secret, REDACTED)
    return whole


def _list_removed(text: str, redacted: str) -> list[str]:
    """Return the parts of a text in whose place `[redacted]` stands; if it was changed otherwise, all from there on."""
    removed: list[str] = []
    end = 0
    for kept in redacted.split(REDACTED):
        start = text.find(kept, end)
        if start < 0:
            break
        removed.append(text[end:start])
        end = start + len(kept)
    return [*removed, text[end:]]


def _join_place(value: Any, place: Place) -> object:
    return place


def _find_lane(value: Any, place: Place) -> object:
    """Return a place of a chunk with the indexes that stand on the way to it."""
    indexes = []
    for name in place:
        if isinstance(value, dict):
            indexes += [(key, member) for key, member in value.items() if _is_index(key, member)]
        value = value[name]
    return place, tuple(indexes)


def _is_index(name: str, value: object) -> bool:
    return isinstance(value, int) and name.lower().endswith("index")


def _map_base64(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a chunk with the bytes in it changed, which `parts.serialise` has written as base64."""
    if isinstance(value, list):
        return [_map_base64(member, change) for member in value]
    if isinstance(value, dict):
        is_bytes = value.keys() == {"base64"}
        return {name: change(member) if is_bytes else _map_base64(member, change) for name, member in value.items()}
    return value


def _read_base64(text: Any) -> Any:
    """Return the JSON inside of base64; the text itself if there is none."""
    try:
        value = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, RecursionError):
        return text
    return value if isinstance(value, (dict, list)) else text


def _write_base64(value: Any) -> Any:
    return value if isinstance(value, str) else base64.b64encode(_dump(value)).decode()


def _get(value: Any, place: Place) -> Any:
    for name in place:
        value = value[name]
    return value


def _put(value: Any, place: Place, text: str) -> None:
    for name in place[:-1]:
        value = value[name]
    value[place[-1]] = text


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
