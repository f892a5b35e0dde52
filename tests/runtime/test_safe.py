"""The one place that swallows: loud under test, one sentence a place in production, and only for `Exception`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from otel_agentops import _guard
from otel_agentops._guard import guard, guard_step, say_once

Said = Callable[[], list[str]]


@guard
def halved(number: int) -> float:
    """Half of it."""
    return 1 / number


@guard
def other(number: int) -> float:
    return 1 / number


def test_guard_leaves_a_working_function_alone() -> None:
    assert halved(2) == 0.5
    assert (halved.__name__, halved.__doc__) == ("halved", "Half of it.")


def test_guard_raises_under_test() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        halved(0)
    assert raised.traceback[-1].name == "halved"


def test_guard_logs_each_failure_once_in_production(production: None, said: Said) -> None:
    assert [halved(0), halved(0), other(0), halved("x")] == [None] * 4  # type: ignore[arg-type]
    assert [sentence.partition(";")[0] for sentence in said()] == [
        "otel-agentops failed in halved (ZeroDivisionError: division by zero)",
        "otel-agentops failed in other (ZeroDivisionError: division by zero)",
        "otel-agentops failed in halved (TypeError: unsupported operand type(s) for /: 'int' and 'str')",
    ]
    assert said()[0].endswith("the call of the application is unaffected, its telemetry may lack a part")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_guarded_step_fails_as_a_guarded_function(count: int, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def divided(*numbers: int) -> float:
        return 1 / sum(numbers)

    step, quiet = guard_step(count)(divided), guard_step(count, has_content=True)(divided)
    assert step(*[2] * count) == 1 / (2 * count)
    with pytest.raises(ZeroDivisionError):
        step(*[0] * count)
    monkeypatch.setattr(_guard, "is_strict", False)
    assert (step(*[0] * count), quiet(*["secret"] * count)) == (None, None)
    assert [sentence.partition(";")[0].rpartition(".")[2] for sentence in said()] == [
        "divided (ZeroDivisionError: division by zero)",
        "divided (TypeError: its text may quote content)",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_guard_passes_exits_and_cancellations(production: None, said: Said, error: type[BaseException]) -> None:
    @guard
    def stopped() -> None:
        raise error

    with pytest.raises(error):
        stopped()
    assert said() == []


def test_logged_keys_are_bounded(said: Said) -> None:
    for number in range(3000):
        say_once(f"key {number}", "about %d", number)
        say_once(f"key {number}", "about %d", number)
    assert len(said()) == len(_guard._warned_keys) == _guard._MAX_KEYS


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("true", True), ("", False), ("0", False), ("x", False)])
def test_strict_mode_is_read_from_the_environment(value: str, strict: bool) -> None:
    program = "from otel_agentops import _guard; print(_guard.is_strict)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"OTEL_AGENTOPS_STRICT": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{strict}\n"
