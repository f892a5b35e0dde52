"""A hash of a tool call that trivial differences between two calls do not change."""

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

TOOL_MARK = "__otel_agentops_tool__"  # an attribute of functions that make the span of a tool call by themselves
_LONGEST = 4096  # characters of a text; a longer one equals itself alone
_LARGEST = 100_000  # characters of JSON that are parsed, under 1 ms; a longer text is not parsed
_MOST = 1000  # values in the arguments of one call
_DEEPEST = 20
# RFC 8259 section 6: a number has no leading zero; with one it may be an identifier.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.ASCII)
_WRITE = json.JSONEncoder(sort_keys=True).encode  # json.dumps would make an encoder for each call
_NO_ARGUMENTS = hash(_WRITE({}))
_LITERALS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_TEXTUAL = (uuid.UUID, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta, pathlib.PurePath)


def hash_tool_call(tool: str, arguments: object) -> int | None:
    """Return the hash of a tool call; None if its arguments cannot be read.

    The hash holds in this process alone. Two calls have the same hash if the tool is the same and, at every depth of
    the arguments,

    - texts differ at most in case, white space, Unicode compatibility form (NFKC) or the `.`, `!` and `?` at their end,
    - numbers, true, false and null differ at most in how they are written: `1`, `1.0`, `1e0` and `"1"`, but not `"01"`,
    - objects differ at most in the order of their members, or in members that are null.

    The order of a list counts. A text of more than 4096 characters, or JSON of more than 100,000, equals itself alone.
    Arguments of more than 1000 values, deeper than 20, or with an object that is neither JSON nor an enum, a dataclass,
    a pydantic model, a UUID, a decimal, a date, a time, a path or bytes cannot be read.

    Args:
        tool: The name of the tool.
        arguments: A mapping by parameter name, or its JSON.
    """
    if arguments is None:
        return None
    try:
        normalised = _Normaliser().normalise_value(_parse_arguments(arguments), 0)
        return _hash_name(tool) ^ hash(_WRITE(normalised))
    except (_UnreadableError, ValueError):  # ValueError: an integer of more digits than Python writes
        return None


def hash_shared_arguments(tool: str, call_hash: int) -> int | None:
    """Return the hash that calls of other tools with these arguments have too; None if there are no arguments.

    Args:
        tool: The name of the tool.
        call_hash: What `hash_tool_call` returned for it.
    """
    arguments_hash = _hash_name(tool) ^ call_hash
    return None if arguments_hash == _NO_ARGUMENTS else arguments_hash


def _hash_name(tool: str) -> int:
    return hash(("tool", tool))  # a tuple, because a tool may have its own name as its only argument


class _UnreadableError(Exception):
    """An argument that cannot be compared."""


class _Normaliser:
    """One walk through the arguments of a call, with a limit on values and depth."""

    def __init__(self) -> None:
        self._values_left = _MOST

    def normalise_value(self, value: object, depth: int) -> object:
        """Return the one form that all equivalent values share."""
        self._values_left -= 1
        if self._values_left < 0 or depth > _DEEPEST:
            raise _UnreadableError
        if type(value) is str:
            return _normalise_text(value)
        if value is None or type(value) is bool or type(value) is int:
            return value
        if type(value) is float:
            return int(value) if value.is_integer() else value
        return self._normalise_container(value, depth)

    def _normalise_container(self, value: object, depth: int) -> object:
        if isinstance(value, (list, tuple)):
            return [self.normalise_value(member, depth + 1) for member in value]
        if isinstance(value, (set, frozenset)):
            return sorted(_WRITE(self.normalise_value(member, depth + 1)) for member in value)
        if (members := find_members(value)) is not None:
            pairs = ((str(name), self.normalise_value(member, depth + 1)) for name, member in members.items())
            return {name: member for name, member in pairs if member is not None}
        return self.normalise_value(_reduce_object(value), depth + 1)


def _parse_arguments(arguments: object) -> object:
    """Parse arguments in JSON; any other text is the only argument, an empty one means no arguments."""
    if not isinstance(arguments, str):
        return arguments
    if not arguments or arguments.isspace():
        return {}
    if len(arguments) > _LARGEST:
        return arguments
    try:
        parsed: object = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    return parsed


def _normalise_text(text: str) -> object:
    if len(text) > _LONGEST:
        return ["long", hash(text)]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.casefold().split())
    if text in _LITERALS:
        return _LITERALS[text]
    if _NUMBER.fullmatch(text):
        return _parse_number(text)
    return text.rstrip(" .!?")


def _parse_number(text: str) -> float:
    if text.lstrip("-").isdigit() and len(text) < 1000:
        return int(text)
    number = float(text)
    return int(number) if number.is_integer() else number


def find_members(value: object) -> Mapping[object, object] | None:
    """Return the members of a mapping, dataclass or pydantic model; None for anything else."""
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__pydantic_fields__"):
        return getattr(value, "__dict__", None)
    return None


def _reduce_object(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _TEXTUAL):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", hash(bytes(value))]
    for kind in (bool, int, float, str):  # a subclass, for example a type of ids
        if isinstance(value, kind):
            return kind(value)
    raise _UnreadableError
