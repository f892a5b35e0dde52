"""Readers of wire bodies: every value keeps its registered type; a value of another type is left out, never guessed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from otel_agentops.operations import OTHER_ERROR, UNHASHED, Attributes, Value


def get(value: Any, name: str) -> Any:
    """Return a member of a JSON object or of a client's model; None if either is absent."""
    if value is None:
        return None
    if type(value) is dict:
        return value.get(name)
    member = getattr(value, name, None)  # first, because to ask a client's model if it is a Mapping costs more
    return value.get(name) if member is None and isinstance(value, Mapping) else member


def drop_none(**members: Any) -> dict[str, Any]:
    """Return the members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def drop_none_attributes(*pairs: tuple[str, Any]) -> Attributes:
    """Return the attributes whose value is not None."""
    return {key: value for key, value in pairs if value is not None}


def as_double(value: Any) -> float | None:
    """Convert a JSON number to a double; return None for a boolean, a text or anything else. 0 is a value."""
    return float(value) if type(value) in (int, float) and abs(value) <= sys.float_info.max else None


def as_int(value: Any) -> int | None:
    """Convert a JSON number to an integer of 64 bits, which is what OTLP carries; return None if it is not one."""
    number = type(value) is int or (type(value) is float and value.is_integer())
    return int(value) if number and -(2**63) <= value < 2**63 else None


def as_text(value: Any) -> str | None:
    """Return a text as JSON has it, an enum's member by its value; None for anything else."""
    if type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, str) else None


def as_texts(value: Any) -> list[str] | None:
    """Return a text or a list of texts as a list; None for anything else."""
    values = [value] if isinstance(value, str) else as_list(value)
    texts = [text for item in values if (text := as_text(item)) is not None]
    return texts if texts and len(texts) == len(values) else None


def is_object(value: Any) -> bool:
    """Return True for a JSON object; a dict is recognised ten times sooner than another mapping."""
    return type(value) is dict or isinstance(value, Mapping)


def as_list(value: Any) -> Sequence[Any]:
    """Return a list; an empty one for anything else, because a one-shot iterator is the application's."""
    return value if isinstance(value, (list, tuple)) else ()


# -- what pieces of an answer add up to


def merge_members(older: Any, newer: Any) -> Any:
    """Return an object of an answer with the members of a newer one.

    A member that is null, or missing, says nothing; so does a value of another kind in the place of an object.
    """
    old_members, new_members = _list_members(older), _list_members(newer)
    if new_members is None:
        return newer if old_members is None and newer is not None else older
    if old_members is None:
        return newer
    merged = dict(old_members)
    for name, value in new_members.items():
        if value is not None:
            merged[name] = merge_members(merged.get(name), value)
    return merged


def _list_members(value: Any) -> Mapping[str, Any] | None:
    """Return the members of a JSON object or of a client's model; None for anything else."""
    if is_object(value):
        members: Mapping[str, Any] = value
        return members
    if isinstance(value, (str, int, float)) or not hasattr(value, "__dict__"):
        return None
    return {**vars(value), **(getattr(value, "__pydantic_extra__", None) or {})}


def list_reasons(reasons: Mapping[Any, Any]) -> list[str]:
    """Return the finish reasons of the choices in the order of their indexes; one without a number comes first."""
    indexes = sorted(reasons, key=lambda index: index if type(index) is int else -1)
    return [reason for index in indexes if (reason := as_text(reasons[index])) is not None]


def join_arguments(parts: Sequence[Any]) -> Any:
    """Return the arguments of a tool call, which come in parts of their JSON; or whole, as an object."""
    whole = next((part for part in reversed(parts) if not isinstance(part, str)), None)
    return "".join(parts) if whole is None else whole


_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")  # else it is a message, which may quote the prompt


def read_error(body: Any) -> str | None:
    """Return the code of the error in the body of a good response, else its type; None if the body has no error.

    Gateways answer with status 200 and `{"error": ...}` if the provider behind them has failed.
    """
    error = get(body, "error")
    if not error:
        return None
    for name in ("code", "type", "status"):
        code = get(error, name)
        if type(code) is int or ((code := as_text(code)) is not None and _CODE.fullmatch(code)):
            return str(code)
    return OTHER_ERROR


# -- requests

Reader = Callable[[Any], "Value | None"]


class Fields:
    """The request fields of one wire format.

    Attributes:
        readers: Field to attribute and how to read it.
        not_parameters: Fields that are content, have an identity of their own or differ on every call; all others
            shape the answer, whether or not we know them.
        sampling: The sampling parameters of the API: each has a source, `unset` if a request leaves it out.
    """

    def __init__(
        self,
        readers: Mapping[str, tuple[str, Reader]],
        not_parameters: Iterable[str],
        sampling: Iterable[str] = (),
    ) -> None:
        self.readers = readers
        self.not_parameters = frozenset(not_parameters)
        self.sampling = tuple(sampling)
        self._unset = dict.fromkeys(self.sampling)
        self._seeds = tuple(name for name in self.sampling if name in self.not_parameters)

    def with_sampling(self, *names: str) -> Fields:
        """Return the same fields for an API with other sampling parameters."""
        return Fields(self.readers, self.not_parameters, names)

    def read_attributes(self, body: Mapping[str, Any], server: Attributes) -> Attributes:
        """Return the convention attributes of a request body, with where it goes."""
        attributes = dict(server)
        for name, value in body.items():
            if (row := self.readers.get(name)) is not None and (read := row[1](value)) is not None:
                attributes[row[0]] = read
        return attributes

    def read_parameters(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what shapes the answer beside prompt, model and tools; a sampling parameter that is unset is None."""
        skip = self.not_parameters
        parameters = {name: value for name, value in body.items() if name not in skip and value is not None}
        for name in self._seeds:
            if body.get(name) is not None:
                parameters[name] = UNHASHED
        return {**self._unset, **parameters}


def drop_members(wire: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return the members of an object that are set, without some: what a provider adds to a tool is part of it."""
    return {name: value for name, value in wire.items() if name not in names and value is not None}


def flatten_instructions(contents: Iterable[Any]) -> tuple[Any, ...]:
    """Return system contents as a flat tuple of texts and JSON parts.

    Text parts of a list are reduced to their text: a text alone, the same text as one part, and the same in another
    client's spelling have one identity.
    """
    parts: list[Any] = []
    for content in contents:
        if isinstance(content, str):
            parts.append(content)
        else:
            parts.extend(_reduce_part(part) for part in as_list(content))
    return tuple(parts)


def _reduce_part(part: Any) -> Any:
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else part
