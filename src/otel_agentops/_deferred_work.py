"""What a finalizer asks for is done elsewhere: it may run inside any lock, and ending a span takes several.

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

_waiting: SimpleQueue[Step] = SimpleQueue()  # its `put` may interrupt itself: made for finalizers
_idle = [True]  # popped by whoever starts the thread: a list's pop is atomic between threads
_first = [True]  # the same, by the first step
_working = threading.Lock()  # never taken in a finalizer


def later(step: Step) -> None:
    """Have the step done soon on a thread of its own; never once the interpreter is ending."""
    if sys.is_finalizing():
        return
    _waiting.put(step)
    if _first:
        _first.clear()
        atexit.register(settle)  # what is registered last runs first: before the providers' own shutdown
    try:
        _idle.pop()
    except IndexError:
        return  # a thread is at it
    try:
        _thread.start_new_thread(_work, ())
    except RuntimeError:  # no thread can be had
        _idle.append(True)


def settle() -> None:
    """Do here and now what is waiting."""
    with _working:
        while True:
            try:
                step = _waiting.get_nowait()
            except Empty:
                return
            step()


def _work() -> None:
    while True:
        try:
            settle()
        finally:
            _idle.append(True)
        if _waiting.empty():
            return
        try:
            _idle.pop()
        except IndexError:
            return


def _forked() -> None:
    global _working
    _working = threading.Lock()
    _idle[:] = [True]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)  # the parent's thread is not there, its lock may be
atexit.register(settle)  # once more, after them: what is dropped while other handlers run must not wait for ever
