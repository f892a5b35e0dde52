"""What the application says about itself, as attributes: what cannot be one is named in a sentence and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from otel_agentops._guard import say_once
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv.rows import Attribute

T = TypeVar("T")


def is_enum_value(what: str, value: object, values: Sequence[str]) -> bool:
    """Whether it is one of an enum's values."""
    if value in values:
        return True
    say_once(f"{what}={value}", "%.60r is not a %s and is left out; use one of %s", value, what, ", ".join(values))
    return False


def validate_receipt(given: Mapping[str, Value] | None) -> dict[str, Value]:
    """What of a receipt is one: it may come from anywhere by now."""
    if not isinstance(given, Mapping):
        say_once(
            "receipt", "a %s is not a receipt and is left out; keep what task.receipt() gave", type(given).__name__
        )
        return {}
    if extra := given.keys() - _RECEIPT:
        names = ", ".join(sorted(map(str, extra)))
        say_once("receipt", "%.200s: not part of a receipt and left out; keep what task.receipt() gave", names)
    from otel_agentops.semconv.table import ATTRIBUTES  # not wanted by a process that is given no receipt

    return drop_none({key: _typed(key, value, ATTRIBUTES[key]) for key, value in given.items() if key not in extra})


# What the outcome and the collector add to a receipt.
_WRITTEN_LATER = (A.TASK_REWORK, *(name.rpartition(".")[0] for name in (A.TRUTH_VERDICT, A.SLI_NAME)))
_RECEIPT = frozenset(key for key in E.EVENTS[E.OUTCOME] if not key.startswith(_WRITTEN_LATER))


def _typed(key: str, value: object, registered: Attribute) -> Any:
    """The value as the registry wants it, for JSON knows one kind of number; None where it is of another type."""
    read = _TYPES[registered.type](value)
    if read is not None and (not registered.values or read in registered.values):
        return read
    say_once(f"receipt:{key}", "%s=%.60r of a receipt is no %s and is left out", key, value, registered.type)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "string": lambda value: value if isinstance(value, str) else None,
    "boolean": lambda value: value if isinstance(value, bool) else None,
    "int": lambda value: int(value) if _is_number(value) and float(value).is_integer() else None,
    "double": lambda value: float(value) if _is_number(value) else None,
    "string[]": lambda value: list(value) if _is_texts(value) else None,
}


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


def hash_documents(found: Iterable[Any] | str) -> list[int] | None:
    """The hashes, of this process alone, of the ids of documents; None where one has no id.

    A text, a number or a UUID is an id itself; else it is the member or the attribute `id` of the document.
    """
    hashes = []
    for document in (found,) if isinstance(found, (str, bytes)) else found:
        known = document.get("id") if isinstance(document, Mapping) else getattr(document, "id", document)
        if isinstance(known, bool) or not isinstance(known, (str, int, UUID)):
            return None
        hashes.append(hash(str(known)))
    return hashes


def as_text(value: object) -> str | None:
    """Facts are text: a number or a UUID is written as one."""
    return value if value is None or isinstance(value, str) else str(value)


def as_texts(attributes: Mapping[str, object]) -> dict[str, Any]:
    """The attributes that are known, as text."""
    return drop_none({key: as_text(value) for key, value in attributes.items()})


def as_number(what: str, value: Any) -> float | None:
    """A number; a boolean or a text is none."""
    if value is None:
        return None
    if hasattr(value, "__float__") and not isinstance(value, bool):
        return float(value)
    say_once(f"number:{what}", "%s=%.60r is not a number and is left out", what, value)
    return None


def as_integer(what: str, value: Any) -> int | None:
    """A whole number."""
    read = as_number(what, value)
    if read is None:
        return None
    if read.is_integer():
        return int(value)
    say_once(f"number:{what}", "%s=%r is not a whole number and is left out", what, value)
    return None


def identify_json(what: str, identify: Callable[[], T]) -> T | None:
    """What is identified, None where it is not JSON."""
    try:
        return identify()
    except (TypeError, ValueError) as error:
        say_once(f"json:{what}", "%s has no identity, because it is not JSON: %s", what, error)
        return None


def drop_none(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are known."""
    return {key: value for key, value in attributes.items() if value is not None}
