"""Work of finalizers, done on another thread, because a finalizer may run inside any lock.

The garbage collector runs at any allocation, so also inside a metric reader or an exporter that holds its
lock. A dropped stream that ended its span there would wait for that lock forever, and the application with it.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

Step = Callable[[], object]

_steps: SimpleQueue[Step] = SimpleQueue()  # its `put` may interrupt itself: made for finalizers
_idle_token = [True]  # popped by whoever starts the thread: a list's pop is atomic between threads
_first_token = [True]  # the same, by the first step
_run_lock = threading.Lock()  # never taken in a finalizer


def defer(step: Step) -> None:
    """Run a step soon on another thread, unless the interpreter is ending."""
    if sys.is_finalizing():
        return
    _steps.put(step)
    if _first_token:
        _first_token.clear()
        atexit.register(run_deferred)  # the last one registered runs first, so before the providers shut down
    try:
        _idle_token.pop()
    except IndexError:
        return  # another thread runs the steps
    try:
        _thread.start_new_thread(_run_until_idle, ())
    except RuntimeError:  # the system allows no more threads
        _idle_token.append(True)


def run_deferred() -> None:
    """Run every waiting step in this thread, now."""
    with _run_lock:
        while True:
            try:
                step = _steps.get_nowait()
            except Empty:
                return
            step()


def _run_until_idle() -> None:
    while True:
        try:
            run_deferred()
        finally:
            _idle_token.append(True)
        if _steps.empty():
            return
        try:
            _idle_token.pop()
        except IndexError:
            return


def _reset_after_fork() -> None:
    global _run_lock
    _run_lock = threading.Lock()
    _idle_token[:] = [True]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)  # a child inherits the lock, and not the thread that holds it
atexit.register(run_deferred)  # again after the providers: other handlers may drop streams too
