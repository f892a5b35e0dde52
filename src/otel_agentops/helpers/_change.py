"""A deliberate change of a variable, as an event that triage compares with the observations."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import current_scope
from otel_agentops._guard import guard
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E


class change(Block):  # noqa: N801  a verb, used like contextlib's own
    """A deliberate change of a variable, as an `otel_agentops.change` event.

    Triage compares the event with the observations. With a value it is emitted at once. Without one this is a block
    around the work, which sets the value by `to`, or a decorator of the function that does the work and returns the
    value. A block that fails or sets no value emits nothing.

    Args:
        variable: model, prompt, judge, index, tools, tool or traffic.
        scope: The one that changes, e.g. a model alias or an index name.
        value: Its new identity.
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
        self._scope = scope
        self._previous = previous
        self._timestamp = timestamp
        self._value: str | None = None
        if value is not None:
            self._emit_change(value)

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._value = None

    def to(self, value: str) -> None:
        """Set the new value; the event is emitted when the block ends without an error."""
        self._value = value

    @override
    def record_result(self, result: object) -> None:
        """Take the text that a decorated function returns as the value."""
        if self._value is None and isinstance(result, str):
            self._value = result

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if error is None and self._value is not None:
            self._emit_change(self._value)

    @guard
    def _emit_change(self, value: str) -> None:
        if not _coerce.is_enum_value("variable", self._variable, A.CHANGE_VARIABLE_VALUES):
            return
        attributes = {
            A.CHANGE_VARIABLE: self._variable,
            A.CHANGE_SCOPE: self._scope,
            A.CHANGE_VALUE: value,
            A.CHANGE_PREVIOUS: self._previous,
            A.CHANGE_SOURCE: "declared",
        }
        timestamp = _coerce.as_integer("timestamp", self._timestamp)
        _telemetry.get_default().emit_event(
            E.CHANGE, {**current_scope().facts, **_coerce.as_texts(attributes)}, timestamp
        )
