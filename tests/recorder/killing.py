"""A process that ends before any of its steps on the disk, for tests of what it leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

STEPS = ("fdatasync", "fsync", "link", "open", "rename", "replace", "unlink", "utime")


def kill_before(step: int) -> None:
    """Let this process end before it takes a step, counted from 0."""
    left = [step]

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return function(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, wrap(getattr(os, name)))


def run_killed(step: int, function: Callable[[], object]) -> int:
    """Run a function in a child that is killed before a step; return 9, or 0 if it came to its end."""
    if (pid := os.fork()) == 0:
        status = 1
        try:
            kill_before(step)
            function()
            status = 0
        finally:  # it must not go on as the parent does
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
