"""Options that several commands have, and the end of one that cannot do its work: a sentence for each mistake."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from otel_agentops._yaml import InputError

_AGO = re.compile(r"([0-9]+)([smhd])")


@contextmanager
def stop_on_error(command: str, code: int = 1, *more: type[Exception]) -> Iterator[None]:
    """End the command if its input is wrong or a file cannot be written.

    Args:
        command: The group of commands that stands before each sentence: `slo`.
        code: The exit code.
        *more: Other exceptions whose text is such a sentence.
    """
    kinds: tuple[type[Exception], ...] = (InputError, *more)
    try:
        yield
    except kinds as error:
        for sentence in str(error).splitlines():
            typer.echo(f"otel-agentops {command}: {sentence}", err=True)
        raise typer.Exit(code) from None


def parse_time(text: str, now_s: float, option: str) -> float:
    """Return Unix seconds of a time, or of how long ago it was."""
    if match := _AGO.fullmatch(text):
        return now_s - int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    try:
        moment = datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        advice = "write for instance 2026-11-12T03:30Z, or 2h for two hours ago"
        raise typer.BadParameter(f"{text!r} is no time; {advice}", param_hint=option) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()
