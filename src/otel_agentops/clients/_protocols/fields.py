"""Reading wire bodies: every value keeps its registered type, and what has another one is left out, never guessed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops.operations import Attributes, Value


def get(value: Any, name: str) -> Any:
    """A member of a JSON object or of a client's model; None where either is absent."""
    if value is None:
        return None
    if type(value) is dict:
        return value.get(name)
    found = getattr(value, name, None)  # first, because to ask a client's model whether it is a Mapping costs more
    return value.get(name) if found is None and isinstance(value, Mapping) else found


def present(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def present_attributes(*pairs: tuple[str, Any]) -> Attributes:
    """The attributes whose value is known."""
    return {key: value for key, value in pairs if value is not None}


def double(value: Any) -> float | None:
    """A JSON number as a double; 0 is a value, a boolean or a text is not a number."""
    return float(value) if type(value) in (int, float) and abs(value) <= sys.float_info.max else None


def whole(value: Any) -> int | None:
    """A JSON number as an integer of 64 bits, which is what OTLP carries; None where it is none."""
    number = type(value) is int or (type(value) is float and value.is_integer())
    return int(value) if number and -(2**63) <= value < 2**63 else None


def text(value: Any) -> str | None:
    """A text as JSON has it, so an enum's member by its value; None for anything else."""
    if type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, str) else None


def texts(value: Any) -> list[str] | None:
    """A text or a list of texts as a list."""
    given = [value] if isinstance(value, str) else items(value)
    read = [word for item in given if (word := text(item)) is not None]
    return read if read and len(read) == len(given) else None


def is_object(value: Any) -> bool:
    """Whether a value is a JSON object; that it is a dict is known ten times sooner than that it is another mapping."""
    return type(value) is dict or isinstance(value, Mapping)


def items(value: Any) -> Sequence[Any]:
    """A list, empty for anything else: a one-shot iterator is the application's."""
    return value if isinstance(value, (list, tuple)) else ()


Reader = Callable[[Any], "Value | None"]


class Fields(NamedTuple):
    """How one wire format names its request fields.

    readers: field to attribute and how to read it. not_parameters: fields that are content, have an identity of their
    own or differ on every call; all others shape the answer, known to us or not.
    """

    readers: Mapping[str, tuple[str, Reader]]
    not_parameters: frozenset[str]

    def attributes(self, body: Mapping[str, Any], server: Attributes) -> Attributes:
        """The convention attributes of a request body, with where it goes."""
        found = dict(server)
        for name, value in body.items():
            if (row := self.readers.get(name)) is not None and (read := row[1](value)) is not None:
                found[row[0]] = read
        return found

    def parameters(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What shapes the answer beside prompt, model and tools."""
        skip = self.not_parameters
        return {name: value for name, value in body.items() if name not in skip and value is not None}


def instructions(contents: Iterable[Any]) -> tuple[Any, ...]:
    """System contents as a flat tuple: a text, or the parts of a list with text parts reduced to their text.

    A text alone, the same text as one part, and the same in another client's spelling have one identity.
    """
    parts: list[Any] = []
    for content in contents:
        if isinstance(content, str):
            parts.append(content)
        else:
            parts.extend(_part(part) for part in items(content))
    return tuple(parts)


def _part(part: Any) -> Any:
    words = part.get("text") if isinstance(part, Mapping) else None
    return words if isinstance(words, str) else part
