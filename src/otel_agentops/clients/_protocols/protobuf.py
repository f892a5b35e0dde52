"""Protobuf messages read as JSON; equal parts of messages are converted once, because that is slow."""

from __future__ import annotations

import functools
import importlib
import struct
from collections.abc import Mapping
from typing import Any, Protocol


class EnumType(Protocol):
    """The descriptor of an enumeration."""

    values_by_number: Mapping[int, Any]


class Field(Protocol):
    """The descriptor of a field of a message."""

    name: str
    enum_type: EnumType | None


def convert_value(field: Field, value: Any) -> object:
    """Convert the value of a field to JSON."""
    if isinstance(value, float):
        return _shorten_float(value)
    if isinstance(value, int) and field.enum_type is not None:
        member = field.enum_type.values_by_number.get(value)
        return value if member is None else member.name
    if isinstance(value, (str, int)):
        return value
    if hasattr(value, "ListFields"):
        message_type: Any = type(value)
        return _convert_bytes(message_type, value.SerializeToString(deterministic=True))
    return [convert_value(field, item) for item in value]


def read_enum_name(message: Any, name: str) -> Any:
    """Return the name of an enumeration's value; None for the zeroth, which says nothing."""
    number = getattr(message, name)
    return convert_value(message.DESCRIPTOR.fields_by_name[name], number) if number else None


def convert_message(message: object) -> dict[str, object]:
    """Convert a message to JSON with the field names of its definition."""
    read = importlib.import_module("google.protobuf.json_format").MessageToDict
    return dict(read(message, preserving_proto_field_name=True))


def _shorten_float(value: float) -> float:
    """Return the shortest decimal that has these 32 bits on the wire: 0.2 for 0.20000000298."""
    shorter = (float(f"{value:.{digits}g}") for digits in (6, 7, 8))
    return next((near for near in shorter if struct.pack("f", near) == struct.pack("f", value)), value)


@functools.lru_cache(256)
def _convert_bytes(message_type: Any, wire: bytes) -> dict[str, object]:
    return convert_message(message_type.FromString(wire))
