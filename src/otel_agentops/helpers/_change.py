"""A variable that is moved on purpose: an event that triage sets against what was observed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import current_scope
from otel_agentops._guard import guard
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class change(Block):  # noqa: N801  a verb, used like contextlib's own
    """A variable that somebody moves on purpose: an `otel_agentops.change` event, for triage.

    With a value the event is made at once. Without it this is a block around the work, which says the value by `to`, or
    a decorator of the function that does it: the text it returns is the value. A block that fails or names no value
    moved nothing.

    Args:
        variable: model, prompt, judge, index, tools, tool or traffic.
        scope: Which one, e.g. the alias or the index name.
        value: Its identity now.
        previous: Its identity before; None if unknown.
        timestamp: ns since the epoch; None for now.
    """

    def __init__(
        self,
        variable: str,
        *,
        scope: str,
        value: str | None = None,
        previous: str | None = None,
        timestamp: int | None = None,
    ) -> None:
        super().__init__(variable, scope=scope, previous=previous, timestamp=timestamp)
        self._variable = variable
        self._of = scope
        self._previous = previous
        self._timestamp = timestamp
        self._value: str | None = None
        if value is not None:
            self._emit(value)

    @override
    def enter(self, stack: ExitStack) -> None:
        self._value = None

    def to(self, value: str) -> None:
        """Set what the variable is now; the event is made when the block ends well."""
        self._value = value

    @override
    def returned(self, result: Any) -> None:
        """Take the text that a decorated function returns as the value."""
        if self._value is None and isinstance(result, str):
            self._value = result

    @override
    def exit(self, error: BaseException | None) -> None:
        if error is None and self._value is not None:
            self._emit(self._value)

    @guard
    def _emit(self, value: str) -> None:
        if not _coerce.is_enum_value("variable", self._variable, A.CHANGE_VARIABLE_VALUES):
            return
        attributes = {
            A.CHANGE_VARIABLE: self._variable,
            A.CHANGE_SCOPE: self._of,
            A.CHANGE_VALUE: value,
            A.CHANGE_PREVIOUS: self._previous,
            A.CHANGE_SOURCE: "declared",
        }
        timestamp = _coerce.as_integer("timestamp", self._timestamp)
        _telemetry.get_default().emit_event(
            E.CHANGE, {**current_scope().facts, **_coerce.as_texts(attributes)}, timestamp
        )
