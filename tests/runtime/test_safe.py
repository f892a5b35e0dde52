"""The one place that swallows: loud under test, one sentence a place in production, and only for `Exception`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from otel_agentops import _guard
from otel_agentops._guard import guard, say_once

Said = Callable[[], list[str]]


@guard
def halved(number: int) -> float:
    """Half of it."""
    return 1 / number


@guard
def other(number: int) -> float:
    return 1 / number


def test_what_does_not_fail_is_not_changed() -> None:
    assert halved(2) == 0.5
    assert (halved.__name__, halved.__doc__) == ("halved", "Half of it.")


def test_under_test_a_failure_is_raised_where_it_happened() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        halved(0)
    assert raised.traceback[-1].name == "halved"


def test_in_production_a_failure_is_said_once_for_each_place(production: None, said: Said) -> None:
    assert [halved(0), halved(0), other(0), halved("x")] == [None] * 4  # type: ignore[arg-type]
    assert [sentence.partition(";")[0] for sentence in said()] == [
        "otel-agentops failed in halved (ZeroDivisionError: division by zero)",
        "otel-agentops failed in other (ZeroDivisionError: division by zero)",
        "otel-agentops failed in halved (TypeError: unsupported operand type(s) for /: 'int' and 'str')",
    ]
    assert said()[0].endswith("the call of the application is unaffected, its telemetry may lack a part")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_the_applications_passes(production: None, said: Said, error: type[BaseException]) -> None:
    @guard
    def stopped() -> None:
        raise error

    with pytest.raises(error):
        stopped()
    assert said() == []


def test_what_is_said_is_bounded(said: Said) -> None:
    for number in range(3000):
        say_once(f"key {number}", "about %d", number)
        say_once(f"key {number}", "about %d", number)
    assert len(said()) == len(_guard._warned_keys) == _guard._MAX_KEYS


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("true", True), ("", False), ("0", False), ("x", False)])
def test_strictness_is_asked_for_in_the_environment(value: str, strict: bool) -> None:
    program = "from otel_agentops import _guard; print(_guard.is_strict)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"OTEL_AGENTOPS_STRICT": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{strict}\n"
