"""Whether two calls of a tool are near the same: a hash that trivial differences of the arguments do not move."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import re
import unicodedata
import uuid
from collections.abc import Mapping
from typing import Any

_LONGEST = 4096  # characters of a text that is read; a longer one is near to itself alone
_LARGEST = 100_000  # characters of JSON that are parsed, under 1 ms; a longer text is taken as it is
_MOST = 1000  # values in the arguments of one call
_DEEPEST = 20
# RFC 8259 section 6: a leading zero is no number, it may be part of an identifier.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.ASCII)
_WRITE = json.JSONEncoder(sort_keys=True).encode  # json.dumps would make an encoder for each call
_NAMED: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_TEXTUAL = (uuid.UUID, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta, pathlib.PurePath)


def hash_tool_call(tool: str, arguments: Any) -> int | None:
    """The hash of a call, of this process alone; None where the arguments cannot be read.

    arguments: a mapping by parameter name, or its JSON. Two calls are near the same where the tool is the same and,
    at every depth of the arguments,

    - texts differ in case, white space, Unicode compatibility form (NFKC) or the `.`, `!` and `?` at their end,
    - numbers, true, false and null differ in how they are written: `1`, `1.0`, `1e0` and `"1"`, but not `"01"`,
    - objects differ in the order of their members, or in members that are null.

    The order of a list counts. A text of more than 4096 characters, JSON of more than 100,000, is near to itself alone.
    Arguments of more than
    1000 values, deeper than 20, or with an object that is neither JSON nor an enum, a dataclass, a pydantic model, a
    UUID, a decimal, a date, a time, a path or bytes cannot be read.
    """
    if arguments is None:
        return None
    try:
        read = _Reader().value(_parsed(arguments), 0)
        return hash((tool, _WRITE(read)))
    except (_UnreadableError, ValueError):  # ValueError: an integer of more digits than Python writes
        return None


class _UnreadableError(Exception):
    """What the arguments hold cannot be compared."""


class _Reader:
    """One reading of the arguments of a call, with a limit."""

    def __init__(self) -> None:
        self.left = _MOST

    def value(self, value: Any, depth: int) -> Any:
        """The value in the one form that all near ones share."""
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise _UnreadableError
        kind = type(value)
        if kind is str:
            return _text(value)
        if value is None or kind is bool or kind is int:
            return value
        if kind is float:
            return int(value) if value.is_integer() else value
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple)):
            return [self.value(member, depth + 1) for member in value]
        if isinstance(value, (set, frozenset)):
            return sorted(_WRITE(self.value(member, depth + 1)) for member in value)
        if (members := _members(value)) is not None:
            read = ((str(name), self.value(member, depth + 1)) for name, member in members.items())
            return {name: member for name, member in read if member is not None}
        return self.value(_plain(value), depth + 1)


def _parsed(arguments: Any) -> Any:
    """The arguments of a JSON text; another text is the only argument, none at all are no arguments."""
    if not isinstance(arguments, str):
        return arguments
    if not arguments or arguments.isspace():
        return {}
    if len(arguments) > _LARGEST:
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _text(text: str) -> Any:
    if len(text) > _LONGEST:
        return ["long", hash(text)]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.casefold().split())
    if text in _NAMED:
        return _NAMED[text]
    if _NUMBER.fullmatch(text):
        return _number(text)
    return text.rstrip(" .!?")


def _number(text: str) -> float:
    if text.lstrip("-").isdigit() and len(text) < 1000:
        return int(text)
    number = float(text)
    return int(number) if number.is_integer() else number


def _members(value: Any) -> Mapping[Any, Any] | None:
    """The members of an object whose fields are its data, None of anything else."""
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__pydantic_fields__"):
        return getattr(value, "__dict__", None)
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _TEXTUAL):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", hash(bytes(value))]
    for kind in (bool, int, float, str):  # a subclass, e.g. a user's id
        if isinstance(value, kind):
            return kind(value)
    raise _UnreadableError
