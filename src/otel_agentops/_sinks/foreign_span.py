"""A span of another instrumentation: it gets what it lacks, and nothing that its maker wrote is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry.trace import Span, set_span_in_context

from otel_agentops import _foreign_spans
from otel_agentops._derive import derive_attempts
from otel_agentops._sinks.answer import answer_attributes
from otel_agentops._sinks.own_span import ERROR
from otel_agentops._sinks.span_attributes import add_missing
from otel_agentops.operations import Attempt, Attributes, ModelCall, Value
from otel_agentops.semconv import attributes as A

if TYPE_CHECKING:
    from otel_agentops._observation import Observation


class ForeignSpan:
    """The span that somebody else started, and ends, for one operation.

    is_unmeasured: True if its maker records no client metrics.
    """

    __slots__ = ("_request_attributes", "context", "span")
    wants_early_answer = True

    def __init__(self, span: Span, attributes: Attributes, is_unmeasured: bool = False) -> None:
        # Stop sequences are words of the application, which some makers take for content: they may leave them out.
        attributes.pop(A.GEN_AI_REQUEST_STOP_SEQUENCES, None)
        self.span = span
        self.context = set_span_in_context(span) if is_unmeasured else None
        self._request_attributes = attributes
        self._add_missing(attributes)

    @property
    def is_of_one_attempt(self) -> bool:
        """Return True if its maker starts a span for every attempt."""
        return _foreign_spans.is_of_one_attempt(self.span)

    def is_recording(self) -> bool:
        """Return False if its maker has ended it."""
        return self.span.is_recording()

    def attach(self) -> None:
        """Do nothing: its maker decides where it is current."""

    def detach(self) -> None:
        """Do nothing: its maker decides where it is current."""

    def forget_context(self) -> None:
        """Do nothing: its maker decides where it is current."""

    def move_to(self, span: Span) -> None:
        """Go on with the span of the next attempt."""
        self.span = span
        self._add_missing(self._request_attributes)

    def _add_missing(self, attributes: Mapping[str, Value]) -> None:
        """Add the attributes that the span does not have yet; a span that has ended takes no more."""
        if self.span.is_recording():
            add_missing(self.span, attributes, _foreign_spans.read_attributes(self.span))

    def set_server(self, attributes: Mapping[str, Value]) -> None:
        """Add where the call goes."""
        self._add_missing(attributes)

    def write_attempts(self, sent_count: int, attempts: Sequence[Attempt]) -> None:
        """Write the attempts so far, the one in flight included."""
        if self.span.is_recording():
            attributes = derive_attempts(attempts) if attempts else {}
            attributes[A.ATTEMPT_COUNT] = sent_count
            present = _foreign_spans.read_attributes(self.span)
            add_missing(self.span, attributes, present)
            self.span.set_attributes({key: value for key, value in attributes.items() if key in present})

    def write_answer(self, observation: Observation) -> None:
        """Add the answer before the operation has ended."""
        attributes = answer_attributes(observation)
        served, theirs = (
            values.get(A.GEN_AI_RESPONSE_MODEL) for values in (attributes, _foreign_spans.read_attributes(self.span))
        )
        if served is not None and theirs is not None and not _foreign_spans.is_same_model(theirs, str(served)):
            attributes[A.MODEL_SERVED] = served
        self._add_missing(attributes)

    def finish(self, observation: Observation) -> None:
        """Add the result; end the span only if its maker never does."""
        try:
            if not self.span.is_recording():
                return  # ended by its maker; what was known before is on it
            self.write_answer(observation)
            if observation.error_type is not None and self.is_of_one_attempt:
                self.span.set_status(ERROR)
                self.span.end(observation.ended_ns)
            elif (
                observation.error_type is None
                and observation.chunk_count
                and _foreign_spans.never_ends_stream_span(self.span)
            ):
                self.span.end(observation.ended_ns)
        finally:
            operation, held_spans = observation.operation, observation.scope.held_spans
            is_inference = isinstance(operation, ModelCall) and operation.is_inference
            if held_spans is not None and observation.error_type is None and is_inference:
                held_spans.hold(self.span, None)
