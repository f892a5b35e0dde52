"""A span of our own: complete, current while the operation runs, ended once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from otel_agentops._sinks.answer import answer_attributes
from otel_agentops._sinks.span_attributes import write_result
from otel_agentops.operations import ModelCall, Value
from otel_agentops.semconv import attributes as A

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context

    from otel_agentops._observation import Observation

ERROR = Status(StatusCode.ERROR)  # no description: an exception's text may quote a prompt


class OwnSpan:
    """The span that this package started for one operation, current from now on.

    context: that in which it is current.
    """

    __slots__ = ("_token", "context", "span")
    wants_early_answer = False

    def __init__(self, span: Span) -> None:
        self.span = span
        self.context = set_span_in_context(span)
        self._token: Token[Context] | None = otel_context.attach(self.context)

    def is_recording(self) -> bool:
        """Return True: it is ended by us alone."""
        return True

    def attach(self) -> None:
        """Make the span current here as well, until `detach`."""
        if trace.get_current_span() is not self.span:
            self._token = otel_context.attach(set_span_in_context(self.span))

    def detach(self) -> None:
        """Make the span before it current again, whether or not this one has ended."""
        token, self._token = self._token, None
        if token is not None:
            otel_context.detach(token)

    def forget_context(self) -> None:
        """Leave the span attached in the context of another task or thread, which goes away with it."""
        self._token = None

    def set_server(self, attributes: Mapping[str, Value]) -> None:
        """Overwrite where the call goes: whoever is asked last is who answers."""
        self.span.set_attributes(attributes)

    def finish(self, observation: Observation) -> None:
        """Write the result and end the span, unless its output is still being validated."""
        operation, is_held = observation.operation, False
        try:
            attributes = answer_attributes(observation)
            write_result(self.span, attributes, observation.request_attributes)
            if A.ERROR_TYPE in attributes:
                self.span.set_status(ERROR)
        finally:
            held_spans = observation.scope.held_spans
            if held_spans is not None and observation.error_type is None:
                is_inference = isinstance(operation, ModelCall) and operation.is_inference
                is_held = is_inference and held_spans.hold(self.span, observation.ended_ns)
            if not is_held:
                self.span.end(observation.ended_ns)
