"""The truth about a task, known late: an event that carries the task's receipt."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from time import time_ns
from typing import Any
from weakref import WeakKeyDictionary

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import current_scope
from otel_agentops._edit_distance import rework
from otel_agentops._guard import guard, say_once
from otel_agentops.helpers._receipt import read_receipt
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class outcome(Block):  # noqa: N801  a verb
    """The truth about a task, known late: an `otel_agentops.outcome` event that carries the task's receipt.

    good: True or False, was the task done right. draft, kept: what was proposed and what the user made of it; how far
    they differ is the rework, the texts stay here. With any of these it is said at once. Without, this is a block that
    tells the truth by `verdict` and `rework`, or a decorator of the function that finds it out: what it returns is the
    truth. A block that fails or stays silent says nothing. receipt: of `task.receipt()`; None for the task around.
    source: who says so, e.g. a refund. sampling: random where the label comes from a random sample, escalated where
    somebody complained, else unknown; only random labels say something about all tasks. timestamp: ns since the epoch
    of the judgement, None for now.

    What a source has said about a task is said once: the same again is left out, another verdict as well, with a
    warning, because what was counted cannot be taken back. A correction needs a source of its own.
    """

    def __init__(
        self,
        good: bool | None = None,
        *,
        receipt: Mapping[str, Value] | None = None,
        source: str,
        sampling: str = "unknown",
        timestamp: int | None = None,
        draft: str | None = None,
        kept: str | None = None,
    ) -> None:
        super().__init__(receipt=receipt, source=source, sampling=sampling, timestamp=timestamp)
        self._receipt = receipt
        self._source = str(source)
        self._sampling = sampling
        self._timestamp = timestamp
        self._truth: dict[str, Value] = {}
        if draft is not None or kept is not None:
            self._measure(draft, kept)
        if good is not None:
            self._judge(good)
        self._emit()

    @override
    def enter(self, stack: ExitStack) -> None:
        self._truth = {}

    def verdict(self, good: bool) -> None:
        """Was the task done right; said when the block ends well."""
        self._judge(good)
        if not self._inside:
            self._emit()

    def rework(self, draft: str, kept: str) -> None:
        """What was proposed, and what the user made of it; said when the block ends well."""
        self._measure(draft, kept)
        if not self._inside:
            self._emit()

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's True or False is the truth."""
        if isinstance(result, bool):
            self._truth.setdefault(A.TRUTH_VERDICT, _verdict(result))

    @override
    def exit(self, error: BaseException | None) -> None:
        if error is None:
            self._emit()

    @guard
    def _judge(self, good: bool) -> None:
        if good in (True, False):
            self._truth[A.TRUTH_VERDICT] = _verdict(good)
        else:
            say_once("good", "outcome(%.60r) is neither True nor False and is left out", good)

    @guard
    def _measure(self, draft: object, kept: object) -> None:
        if isinstance(draft, str) and isinstance(kept, str):
            self._truth[A.TASK_REWORK] = rework(draft, kept)
        else:
            say_once("rework", "the rework of an outcome is left out: draft and kept have to be two texts")

    @guard
    def _emit(self) -> None:
        truth, self._truth = self._truth, {}
        if not truth:
            return
        task = self._of_task()
        new = _told().new(task.get(A.TASK_ID), self._source, truth)
        if not new:
            return
        timestamp = _coerce.as_integer("timestamp", self._timestamp) or time_ns()
        attributes = {**task, **new, **_delay(task, timestamp), **self._label()}
        _telemetry.get_default().emit_event(E.OUTCOME, attributes, timestamp)

    def _label(self) -> dict[str, Value]:
        known = _coerce.is_enum_value("sampling", self._sampling, A.TRUTH_SAMPLING_VALUES)
        return {A.TRUTH_SOURCE: self._source, A.TRUTH_SAMPLING: self._sampling if known else "unknown"}

    def _of_task(self) -> dict[str, Value]:
        around = read_receipt(current_scope()) if self._receipt is None else {}
        return around or _coerce.validate_receipt(self._receipt)


def _verdict(good: bool) -> str:
    return "good" if good else "bad"


def _delay(task: Mapping[str, Any], timestamp: int) -> dict[str, Value]:
    started = task.get(A.TASK_STARTED_AT)
    if started is None:
        return {}
    seconds = timestamp / 1e9 - started
    if seconds < 0:
        say_once("delay", "an outcome is older than its task: timestamp is in nanoseconds since the epoch")
        return {}
    return {A.TRUTH_DELAY: seconds}


class _Told:
    """What was said so far, the last 10,000 tasks and sources of it.

    Each step on a dictionary is atomic: a lock could be held by a thread that is gone after a fork.
    """

    def __init__(self) -> None:
        self._said: OrderedDict[int, dict[str, tuple[Value, object]]] = OrderedDict()

    def new(self, task: Value | None, source: str, truth: Mapping[str, Value]) -> dict[str, Value]:
        """What of it was not said yet, with the id of its record; of an unknown task everything is new."""
        if task is None:
            return dict(truth)
        known = self._said.setdefault(hash((task, source)), {})
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        me, new = object(), {}
        for key, value in truth.items():
            before, who = known.setdefault(key, (value, me))
            if who is me:
                new[key] = value
            elif before != value:
                say_once(f"changed:{source}:{key}", _CHANGED, source, key, before, task, value)
        return {**new, A.LOG_RECORD_UID: _uid(task, source, new)} if new else {}


_REMEMBERED = 10_000
_SPACE = uuid.UUID("3c6f1d5e-0d0b-5f0e-9a55-5d9a3f1e7c42")  # of these ids; it must never change
_CHANGED = (
    "%s had said %s=%s of task %s and now says %s: the first one stays, for it is counted; give a correction a source "
    "of its own"
)


def _uid(task: Value, source: str, new: Mapping[str, Value]) -> str:
    """The same in every process: a store can tell a record that came twice. A rework alone is another record."""
    return str(uuid.uuid5(_SPACE, f"{task}\n{source}" + ("" if A.TRUTH_VERDICT in new else "\nrework")))


_all: WeakKeyDictionary[_telemetry.Telemetry, _Told] = WeakKeyDictionary()


def _told() -> _Told:
    return _all.setdefault(_telemetry.get_default(), _Told())
