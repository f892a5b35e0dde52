"""The one guard between telemetry and the application: a failure of telemetry never reaches the application.

Every telemetry step runs behind `guard`. In production a failure is logged once per place and swallowed; with
`OTEL_AGENTOPS_STRICT=1` (the test suite sets it) it is raised where it happened, so that tests see it.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("otel_agentops")

is_strict = os.environ.get("OTEL_AGENTOPS_STRICT", "") in {"1", "true"}
_warned_keys: set[str] = set()
_MAX_KEYS = 1000  # nobody reads more than a thousand different warnings


def guard(step: Callable[P, R], *, has_content: bool = False) -> Callable[P, R | None]:
    """Wrap a step so that it cannot raise; it returns None if it failed.

    Only `Exception` is swallowed: a cancellation or a keyboard interrupt belongs to the application.

    Args:
        step: The function.
        has_content: True if the text of its exceptions may quote what people and models said: it is not logged.
    """

    @functools.wraps(step)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return step(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  the one place that swallows
            _report_failure(getattr(step, "__qualname__", type(step).__name__), error, has_content)
            return None

    return guarded


def guard_step(  # noqa: C901  one short function of each count
    count: int, *, has_content: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Return a `guard` for a step that each model call or chunk takes, which gets this many positional arguments.

    It costs a third (0.09 µs a call in place of 0.22 on CPython 3.11): a function that takes any arguments makes a
    tuple and a dictionary of them, and the interpreter does not inline its calls.
    """

    def wrap(step: Callable[..., R]) -> Callable[..., R | None]:
        def failed(error: Exception) -> None:
            _report_failure(getattr(step, "__qualname__", type(step).__name__), error, has_content)

        def guarded_1(first: Any) -> R | None:
            try:
                return step(first)
            except Exception as error:  # noqa: BLE001  this is the guard's module
                failed(error)
                return None

        def guarded_2(first: Any, second: Any) -> R | None:
            try:
                return step(first, second)
            except Exception as error:  # noqa: BLE001  this is the guard's module
                failed(error)
                return None

        def guarded_3(first: Any, second: Any, third: Any) -> R | None:
            try:
                return step(first, second, third)
            except Exception as error:  # noqa: BLE001  this is the guard's module
                failed(error)
                return None

        def guarded_4(first: Any, second: Any, third: Any, fourth: Any) -> R | None:
            try:
                return step(first, second, third, fourth)
            except Exception as error:  # noqa: BLE001  this is the guard's module
                failed(error)
                return None

        guarded: Callable[..., R | None] = (guarded_1, guarded_2, guarded_3, guarded_4)[count - 1]
        return functools.wraps(step)(guarded)

    return wrap


def try_call(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | Exception:
    """Return what a library returns to a question of ours, or the exception that it raises: a refusal is a fact."""
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  this is the guard's module
        return error


_warn = guard(log.warning)  # a logging handler of the application may raise as well


def say_once(key: str, message: str, *args: object) -> None:
    """Log a warning once per process and key: a hot path must not fill the user's log."""
    if key not in _warned_keys and len(_warned_keys) < _MAX_KEYS:
        _warned_keys.add(key)
        _warn(message, *args)


def _report_failure(place: str, error: Exception, has_content: bool) -> None:
    if is_strict:
        raise error
    say_once(
        f"{place}:{type(error).__name__}",
        "otel-agentops failed in %s (%s: %s); the call of the application is unaffected, its telemetry may lack a part",
        place,
        type(error).__name__,
        "its text may quote content" if has_content else error,
    )
