"""The one guard between telemetry and the application: what we break, the application never sees.

Every telemetry step runs behind `guard`. In production a failure is logged once per place and swallowed; with
`OTEL_AGENTOPS_STRICT=1` (the test suite sets it) it is raised where it happened, so that no defect hides.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("otel_agentops")

strict = os.environ.get("OTEL_AGENTOPS_STRICT", "") in {"1", "true"}
_said: set[str] = set()
_MOST = 1000  # keys that are remembered; what is said about a thousand different things helps nobody


def guard(step: Callable[P, R]) -> Callable[P, R | None]:
    """The step, unable to raise: None where it failed.

    Only `Exception` is swallowed: a cancellation, a keyboard interrupt and the like are the application's.
    """

    @functools.wraps(step)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return step(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  the one place that swallows
            _report(step.__qualname__, error)
            return None

    return guarded


_warn = guard(log.warning)  # a handler of the application's logging, say one that exports, may raise as well


def say_once(key: str, message: str, *args: object) -> None:
    """Log a warning once per process and key: a hot path must not fill the user's log."""
    if key not in _said and len(_said) < _MOST:
        _said.add(key)
        _warn(message, *args)


def _report(place: str, error: Exception) -> None:
    if strict:
        raise error
    say_once(
        f"{place}:{type(error).__name__}",
        "otel-agentops failed in %s (%s: %s); the call of the application is unaffected, its telemetry may lack a part",
        place,
        type(error).__name__,
        error,
    )
