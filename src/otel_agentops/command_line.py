"""The end of a command that cannot do its work: one sentence for each mistake, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from otel_agentops._yaml import InputError


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
