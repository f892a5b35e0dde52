"""Conversion of values from the application to attributes, with a warning for each value that is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import SupportsFloat, SupportsInt, TypeGuard, TypeVar
from uuid import UUID

from otel_agentops._guard import say_once
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv.rows import Attribute

T = TypeVar("T")


def is_enum_value(what: str, value: object, values: Sequence[str]) -> bool:
    """Return True if a value is one of an enum; warn if it is not."""
    if value in values:
        return True
    say_once(f"{what}={value}", "%.60r is not a %s and is left out; use one of %s", value, what, ", ".join(values))
    return False


def validate_receipt(receipt: Mapping[str, Value] | None) -> dict[str, Value]:
    """Validate a task receipt; drop unknown or mistyped fields with a warning."""
    if not isinstance(receipt, Mapping):
        say_once(
            "receipt", "a %s is not a receipt and is left out; keep what task.receipt() gave", type(receipt).__name__
        )
        return {}
    if extra := receipt.keys() - RECEIPT_KEYS:
        names = ", ".join(sorted(map(str, extra)))
        say_once("receipt", "%.200s: not part of a receipt and left out; keep what task.receipt() gave", names)
    from otel_agentops.semconv.table import ATTRIBUTES  # a process that reads no receipt does not need the table

    return drop_none(
        {key: _convert_field(key, value, ATTRIBUTES[key]) for key, value in receipt.items() if key not in extra}
    )


# The outcome and the collector add these to the attributes of a receipt.
_WRITTEN_LATER = (A.TASK_REWORK, *(name.rpartition(".")[0] for name in (A.TRUTH_VERDICT, A.SLI_NAME)))
RECEIPT_KEYS = frozenset(key for key in E.EVENTS[E.OUTCOME] if not key.startswith(_WRITTEN_LATER))


def _convert_field(key: str, value: object, registered: Attribute) -> Value | None:
    """Convert to the registered type; None, with a warning, if it is another.

    A receipt that went through JSON may hold 1.0 for 1.
    """
    converted = _CONVERTERS[registered.type](value)
    if converted is not None and (not registered.values or converted in registered.values):
        return converted
    say_once(f"receipt:{key}", "%s=%.60r of a receipt is no %s and is left out", key, value, registered.type)
    return None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63


_CONVERTERS: Mapping[str, Callable[[object], Value | None]] = {
    "string": lambda value: value if isinstance(value, str) else None,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "int": lambda value: int(value) if _is_number(value) and float(value).is_integer() else None,
    "double": lambda value: float(value) if _is_number(value) else None,
    "string[]": lambda value: list(value) if _is_text_list(value) else None,
}


def _is_text_list(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, (list, tuple)) and all(isinstance(member, str) for member in value)


def hash_documents(documents: Iterable[object] | str) -> list[int] | None:
    """Return the hashes of the ids of documents; None if one has no id.

    A text, a number or a UUID is an id itself; else the id is the member or the attribute `id` of the document. The
    hashes hold in this process alone.
    """
    hashes = []
    for document in (documents,) if isinstance(documents, (str, bytes)) else documents:
        document_id = document.get("id") if isinstance(document, Mapping) else getattr(document, "id", document)
        if isinstance(document_id, bool) or not isinstance(document_id, (str, int, UUID)):
            return None
        hashes.append(hash(str(document_id)))
    return hashes


def as_text(value: object) -> str | None:
    """Return a fact as text, which a number or a UUID is turned into."""
    return value if value is None or isinstance(value, str) else str(value)


def as_texts(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return the attributes that are not None, as text."""
    return drop_none({key: as_text(value) for key, value in attributes.items()})


def as_number(what: str, value: object) -> float | None:
    """Convert to float; None, with a warning, for bool, str or anything else."""
    if value is None:
        return None
    if isinstance(value, SupportsFloat) and not isinstance(value, bool):
        return float(value)
    say_once(f"number:{what}", "%s=%.60r is not a number and is left out", what, value)
    return None


def as_integer(what: str, value: object) -> int | None:
    """Convert a whole number to int; None, with a warning, for anything else."""
    number = as_number(what, value)
    if number is None:
        return None
    if number.is_integer() and isinstance(value, SupportsInt):
        return int(value)
    say_once(f"number:{what}", "%s=%r is not a whole number and is left out", what, value)
    return None


def identify_json(what: str, identify: Callable[[], T]) -> T | None:
    """Return the result of `identify`; None, with a warning, if it meets a value that is not JSON."""
    try:
        return identify()
    except (TypeError, ValueError) as error:
        say_once(f"json:{what}", "%s has no identity, because it is not JSON: %s", what, error)
        return None


def parse_json(value: object) -> object:
    """Parse JSON text; return anything else, and a text that is no JSON, as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def drop_none(attributes: Mapping[str, T | None]) -> dict[str, T]:
    """Return the attributes without those that are None."""
    return {key: value for key, value in attributes.items() if value is not None}
