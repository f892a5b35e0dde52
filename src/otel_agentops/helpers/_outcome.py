"""The truth about a task, known late: an event that carries the task's receipt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from typing_extensions import override

from otel_agentops import _facts, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._safe import guard, say_once
from otel_agentops.record import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class outcome(Block):  # noqa: N801  a verb
    """The truth about a task, known late: an `otel_agentops.outcome` event that carries the task's receipt.

    good: True or False, was the task done right; then it is said at once. Without it this is a block that tells the
    truth by `verdict`, or a decorator of the function that finds it out: what it returns is the truth. A block that
    fails or stays silent says nothing. receipt: of `task.receipt()`; None for the task around. source: who says so,
    e.g. a refund. sampling: random where the label comes from a random sample, escalated where somebody complained,
    else unknown; only random labels say something about all tasks. timestamp: ns since the epoch of the judgement,
    None for now.
    """

    def __init__(
        self,
        good: bool | None = None,
        *,
        receipt: Mapping[str, Value] | None = None,
        source: str,
        sampling: str = "unknown",
        timestamp: int | None = None,
    ) -> None:
        super().__init__(receipt=receipt, source=source, sampling=sampling, timestamp=timestamp)
        self._receipt = receipt
        self._source = source
        self._sampling = sampling
        self._timestamp = timestamp
        self._spoke = False
        if good is not None:
            self.verdict(good)

    @override
    def enter(self, stack: ExitStack) -> None:
        self._spoke = False

    @guard
    def verdict(self, good: bool) -> None:
        """Was the task done right."""
        if good not in (True, False):
            say_once("good", "outcome(%.60r) is neither True nor False and is left out", good)
            return
        self._spoke = True
        known = _facts.known("sampling", self._sampling, A.TRUTH_SAMPLING_VALUES)
        truth = {
            A.TRUTH_VERDICT: "good" if good else "bad",
            A.TRUTH_SOURCE: str(self._source),
            A.TRUTH_SAMPLING: self._sampling if known else "unknown",
        }
        timestamp = _facts.whole("timestamp", self._timestamp)
        _telemetry.get().event(E.OUTCOME, {**self._of_task(), **truth}, timestamp)

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's True or False is the truth."""
        if not self._spoke and isinstance(result, bool):
            self.verdict(result)

    def _of_task(self) -> dict[str, Value]:
        around = scopes.receipt(scopes.current()) if self._receipt is None else {}
        return around or _facts.receipt(self._receipt)
