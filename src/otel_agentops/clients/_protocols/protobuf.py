"""Reading protobuf messages: a field's value as the JSON that it would be, and nothing twice that is slow to read."""

from __future__ import annotations

import functools
import importlib
import struct
from typing import Any


def plain(field: Any, value: Any) -> Any:
    """A field's value as JSON has it."""
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, int) and field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if isinstance(value, (str, int)):
        return value
    if hasattr(value, "ListFields"):
        kind: Any = type(value)
        return _of_bytes(kind, value.SerializeToString(deterministic=True))
    return [plain(field, item) for item in value]


def word(message: Any, name: str) -> Any:
    """The name of an enumeration's value; None for the zeroth, which says nothing."""
    number = getattr(message, name)
    return plain(message.DESCRIPTOR.fields_by_name[name], number) if number else None


def _shortest(value: float) -> float:
    """The shortest decimal that is this value on the wire, where it has 32 bits: 0.2, not 0.20000000298."""
    shorter = (float(f"{value:.{digits}g}") for digits in (6, 7, 8))
    return next((near for near in shorter if struct.pack("f", near) == struct.pack("f", value)), value)


@functools.lru_cache(256)
def _of_bytes(kind: Any, wire: bytes) -> Any:
    return as_json(kind.FromString(wire))


def as_json(message: Any) -> dict[str, Any]:
    """A message as JSON, with the names of its definition."""
    read = importlib.import_module("google.protobuf.json_format").MessageToDict
    return dict(read(message, preserving_proto_field_name=True))
