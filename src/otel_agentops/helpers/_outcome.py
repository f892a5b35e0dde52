"""The ground truth about a task, known late, as an event that carries the task's receipt."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from time import time_ns
from weakref import WeakKeyDictionary

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import current_scope
from otel_agentops._edit_distance import measure_edit_ratio
from otel_agentops._guard import guard, say_once
from otel_agentops.helpers._receipt import read_receipt
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class outcome(Block):  # noqa: N801  a verb
    """The ground truth about a task, known late, as an `otel_agentops.outcome` event with the task's receipt.

    With a verdict or a draft and its final form the event is emitted at once. Without them this is a block that sets
    the truth by `verdict` and `rework`, or a decorator of the function that finds it out and returns True or False. A
    block that fails or sets nothing emits nothing.

    A source gives one verdict and one rework of a task: repetitions are dropped, a different value is dropped with a
    warning, because counters cannot be taken back. A correction needs a source of its own.

    Args:
        good: True if the task was done right.
        receipt: The result of `task.receipt()`; None for the task around.
        source: The origin of the verdict, e.g. a refund.
        sampling: random if the label comes from a random sample, escalated if somebody complained, else unknown; only
            random labels are representative of all tasks.
        timestamp: The time of the judgement in ns since the epoch; None for now.
        draft: The proposal. The edit ratio from draft to kept is the rework; neither text leaves the process.
        kept: The proposal as the user edited it.
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
            self._set_rework(draft, kept)
        if good is not None:
            self._set_verdict(good)
        self._emit_outcome()

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._truth = {}

    def verdict(self, good: bool) -> None:
        """Set if the task was done right; a block emits it when it ends without an error."""
        self._set_verdict(good)
        if not self._depth:
            self._emit_outcome()

    def rework(self, draft: str, kept: str) -> None:
        """Measure how far a user edited a draft; a block emits it when it ends without an error."""
        self._set_rework(draft, kept)
        if not self._depth:
            self._emit_outcome()

    @override
    def record_result(self, result: object) -> None:
        """Take the True or False that a decorated function returns as the verdict."""
        if isinstance(result, bool):
            self._truth.setdefault(A.TRUTH_VERDICT, _name_verdict(result))

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if error is None:
            self._emit_outcome()

    @guard
    def _set_verdict(self, good: bool) -> None:
        if good in (True, False):
            self._truth[A.TRUTH_VERDICT] = _name_verdict(good)
        else:
            say_once("good", "outcome(%.60r) is neither True nor False and is left out", good)

    @guard
    def _set_rework(self, draft: object, kept: object) -> None:
        if isinstance(draft, str) and isinstance(kept, str):
            self._truth[A.TASK_REWORK] = measure_edit_ratio(draft, kept)
        else:
            say_once("rework", "the rework of an outcome is left out: draft and kept have to be two texts")

    @guard
    def _emit_outcome(self) -> None:
        truth, self._truth = self._truth, {}
        if not truth:
            return
        receipt = read_receipt(current_scope()) if self._receipt is None else {}
        receipt = receipt or _coerce.validate_receipt(self._receipt)
        log = _logs.setdefault(_telemetry.get_default(), _TruthLog())
        new_facts = log.select_new(receipt.get(A.TASK_ID), self._source, truth)
        if not new_facts:
            return
        timestamp = _coerce.as_integer("timestamp", self._timestamp) or time_ns()
        is_known = _coerce.is_enum_value("sampling", self._sampling, A.TRUTH_SAMPLING_VALUES)
        origin = {A.TRUTH_SOURCE: self._source, A.TRUTH_SAMPLING: self._sampling if is_known else "unknown"}
        attributes = {**receipt, **new_facts, **_measure_delay(receipt, timestamp), **origin}
        _telemetry.get_default().emit_event(E.OUTCOME, attributes, timestamp)


def _name_verdict(good: bool) -> str:
    return "good" if good else "bad"


def _measure_delay(receipt: Mapping[str, Value], timestamp: int) -> dict[str, Value]:
    started_s = receipt.get(A.TASK_STARTED_AT)
    if not isinstance(started_s, (int, float)):
        return {}
    seconds = timestamp / 1e9 - started_s
    if seconds < 0:
        say_once("delay", "an outcome is older than its task: timestamp is in nanoseconds since the epoch")
        return {}
    return {A.TRUTH_DELAY: seconds}


class _TruthLog:
    """The emitted facts of the last 10,000 pairs of task and source.

    Each step on a dictionary is atomic: after a fork a lock might be held by a thread that no longer exists.
    """

    def __init__(self) -> None:
        self._facts: OrderedDict[int, dict[str, tuple[Value, object]]] = OrderedDict()

    def select_new(self, task: Value | None, source: str, truth: Mapping[str, Value]) -> dict[str, Value]:
        """Return the facts that were not emitted before, with the id of their record.

        Without a task every fact is new.
        """
        if task is None:
            return dict(truth)
        facts = self._facts.setdefault(hash((task, source)), {})
        if len(self._facts) > _MAX_PAIRS:
            self._facts.popitem(last=False)
        caller, new_facts = object(), {}
        for key, value in truth.items():
            before, owner = facts.setdefault(key, (value, caller))
            if owner is caller:
                new_facts[key] = value
            elif before != value:
                say_once(f"changed:{source}:{key}", _CHANGED, source, key, before, task, value)
        return {**new_facts, A.LOG_RECORD_UID: _make_record_id(task, source, new_facts)} if new_facts else {}


_MAX_PAIRS = 10_000
_SPACE = uuid.UUID("3c6f1d5e-0d0b-5f0e-9a55-5d9a3f1e7c42")  # the namespace of record ids; it must never change
_CHANGED = (
    "%s had said %s=%s of task %s and now says %s: the first one stays, for it is counted; give a correction a source "
    "of its own"
)


def _make_record_id(task: Value, source: str, new_facts: Mapping[str, Value]) -> str:
    """Return an id that is the same in every process, so that a store can drop duplicates.

    A rework without a verdict is a record of its own.
    """
    return str(uuid.uuid5(_SPACE, f"{task}\n{source}" + ("" if A.TRUTH_VERDICT in new_facts else "\nrework")))


_logs: WeakKeyDictionary[_telemetry.Telemetry, _TruthLog] = WeakKeyDictionary()
