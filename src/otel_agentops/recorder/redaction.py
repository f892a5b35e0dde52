"""Redaction of what is recorded: on pieces, before they are in a segment, each distinct piece once.

Secrets are always taken out by the patterns of `otel_agentops._redaction`, also inside base64. A function of the user
comes before that, and sees what is hidden so as well. A piece in which nothing is found keeps its very bytes; another
is written anew as JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from otel_agentops._redaction import REDACTED, Redactor

_MOST_PIECES = 4096  # whose result is remembered
_LONGEST = 65_536  # bytes of a piece whose result is remembered
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_ENCODED = re.compile(r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")
_SHORTEST = 16  # characters that a secret has at least, encoded


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

        The texts at one place of the chunks are read as one text; if a secret is in it, the redacted whole goes in
        the first of them and the others become empty.
        """
        values = [json.loads(line) for line in lines]
        places: dict[tuple[object, ...], list[tuple[int, str]]] = {}
        for number, value in enumerate(values):
            for place, text in _iterate_texts(value):
                places.setdefault(place, []).append((number, text))
        changes: dict[int, dict[tuple[object, ...], str]] = {}
        for place, texts in places.items():
            whole = "".join(text for _, text in texts)
            redacted = self._redact_value("chunks", whole)
            if redacted is _REFUSED:
                return None
            if redacted != whole:
                for number, _ in texts:
                    changes.setdefault(number, {})[place] = ""
                changes[texts[0][0]][place] = redacted
        result = []
        for number, (line, value) in enumerate(zip(lines, values, strict=True)):
            for place, text in changes.get(number, {}).items():
                _put(value, place, text)
            redacted_value = self._redact_value("chunks", value)
            if redacted_value is _REFUSED:
                return None
            is_same = number not in changes and redacted_value == value
            result.append(line if is_same else _dump(redacted_value))
        return lines if result == lines else result


_REFUSED = object()


def redact_hidden(text: str, redact: Callable[[Any], Any]) -> str:
    """Return a text without what is hidden inside base64, percent-encoding, or JSON within it.

    Args:
        text: Any text.
        redact: Returns a JSON value without what may not stay; None if nothing of it may.
    """
    if len(text) < _SHORTEST:
        return text
    if text[0] in "{[":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            redacted = _map_texts(redact(value), lambda inner: redact_hidden(inner, redact))
            return text if redacted == value else _dump(redacted).decode()
    text = _BASE64.sub(lambda match: _redact_base64(match, redact), text)
    return _ENCODED.sub(lambda match: _redact_percent(match, redact), text)


def _redact_base64(match: re.Match[str], redact: Callable[[Any], Any]) -> str:
    text = match[0].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return match[0]
    return match[0] if redact(decoded) == decoded else REDACTED


def _redact_percent(match: re.Match[str], redact: Callable[[Any], Any]) -> str:
    text = unquote(match[0])
    redacted = redact(text)
    if redacted == text:
        return match[0]
    return redacted if isinstance(redacted, str) else REDACTED


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text changed, also the names of members."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_texts(member, change) for member in value]
    if isinstance(value, dict):
        return {change(name): _map_texts(member, change) for name, member in value.items()}
    return value


def _iterate_texts(value: Any, place: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield every text of a JSON value with the names and numbers that lead to it."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, (list, dict)):
        for name, member in enumerate(value) if isinstance(value, list) else value.items():
            yield from _iterate_texts(member, (*place, name))


def _put(value: Any, place: tuple[object, ...], text: str) -> None:
    for name in place[:-1]:
        value = value[name]
    value[place[-1]] = text


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
