"""Work that finalizers ask for, done on another thread, because a finalizer may run inside any lock.

The garbage collector runs wherever memory is asked for, so also inside a metric reader or an exporter that holds its
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
    """Do a step soon on a thread of its own; never once the interpreter is ending."""
    if sys.is_finalizing():
        return
    _steps.put(step)
    if _first_token:
        _first_token.clear()
        atexit.register(run_deferred)  # what is registered last runs first: before the providers' own shutdown
    try:
        _idle_token.pop()
    except IndexError:
        return  # a thread is at it
    try:
        _thread.start_new_thread(_run_until_idle, ())
    except RuntimeError:  # no thread can be had
        _idle_token.append(True)


def run_deferred() -> None:
    """Do here and now every step that waits."""
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
    os.register_at_fork(after_in_child=_reset_after_fork)  # the parent's thread is not there, its lock may be
atexit.register(run_deferred)  # once more, after them: what is dropped while other handlers run must not wait for ever
