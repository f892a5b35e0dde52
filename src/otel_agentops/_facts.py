"""What the application says about itself, as attributes: what cannot be one is named in a sentence and left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from otel_agentops._safe import say_once
from otel_agentops.record import Value
from otel_agentops.semconv import events as E

T = TypeVar("T")


def known(what: str, value: object, values: Sequence[str]) -> bool:
    """Whether it is one of an enum's values."""
    if value in values:
        return True
    say_once(f"{what}={value}", "%.60r is not a %s and is left out; use one of %s", value, what, ", ".join(values))
    return False


def receipt(given: Mapping[str, Value] | None) -> dict[str, Value]:
    """What of a receipt is one: it may come from anywhere by now."""
    if not isinstance(given, Mapping):
        say_once(
            "receipt", "a %s is not a receipt and is left out; keep what task.receipt() gave", type(given).__name__
        )
        return {}
    if extra := given.keys() - E.EVENTS[E.OUTCOME]:
        names = ", ".join(sorted(map(str, extra)))
        say_once("receipt", "%.200s: not part of a receipt and left out; keep what task.receipt() gave", names)
    return {key: value for key, value in given.items() if key not in extra}


def text(value: object) -> str | None:
    """Facts are text: a number or a UUID is written as one."""
    return value if value is None or isinstance(value, str) else str(value)


def texts(attributes: Mapping[str, object]) -> dict[str, Any]:
    """The attributes that are known, as text."""
    return present({key: text(value) for key, value in attributes.items()})


def number(what: str, value: Any) -> float | None:
    """A number; a boolean or a text is none."""
    if value is None:
        return None
    if hasattr(value, "__float__") and not isinstance(value, bool):
        return float(value)
    say_once(f"number:{what}", "%s=%.60r is not a number and is left out", what, value)
    return None


def whole(what: str, value: Any) -> int | None:
    """A whole number."""
    read = number(what, value)
    if read is None:
        return None
    if read.is_integer():
        return int(value)
    say_once(f"number:{what}", "%s=%r is not a whole number and is left out", what, value)
    return None


def json(what: str, identify: Callable[[], T]) -> T | None:
    """What is identified, None where it is not JSON."""
    try:
        return identify()
    except (TypeError, ValueError) as error:
        say_once(f"json:{what}", "%s has no identity, because it is not JSON: %s", what, error)
        return None


def present(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are known."""
    return {key: value for key, value in attributes.items() if value is not None}
