"""The span of an operation, decided once for all kinds: enrich another's, make our own, or pass.

A recording span that was started for this very operation is enriched, else a complete span of our own is made, else
(OTEL_AGENTOPS_MODE=enrich) a model operation passes. Never two spans for one operation.
"""

from __future__ import annotations

import weakref
from typing import TypeGuard

from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    ProxyTracer,
    ProxyTracerProvider,
    Span,
    SpanKind,
    Tracer,
)

from otel_agentops import _foreign_spans
from otel_agentops._observation import NO_SPAN, Observation, OperationSpan
from otel_agentops._placement import adopt_surface, stands_for_framework
from otel_agentops._sinks.foreign_span import ForeignSpan
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops.operations import (
    CLIENT,
    EXECUTE_TOOL,
    INTERNAL,
    RETRIEVAL,
    SERVER,
    Attempt,
    Attributes,
    ClientOperation,
    Fetch,
    Judgement,
    ModelCall,
    Operation,
    Retrieval,
    ToolCall,
)

_KINDS = {CLIENT: SpanKind.CLIENT, INTERNAL: SpanKind.INTERNAL, SERVER: SpanKind.SERVER}
_RECORDS_NOTHING = (NoOpTracer, NoOpTracerProvider, ProxyTracerProvider)


class SpanSink:
    """The spans of one installation."""

    def __init__(self, tracer: Tracer, mode: str) -> None:
        self.tracer = tracer
        self._mode = mode
        self._enriched: weakref.WeakSet[Span] = weakref.WeakSet()  # a span is enriched by one operation at most

    def may_record(self) -> bool:
        """Return False if a call that begins here gets no recording span, whatever its request says."""
        current = trace.get_current_span()
        if self._mode == "enrich" or current.is_recording() or any(_foreign_spans.recording_siblings(current)):
            return True
        source = trace.get_tracer_provider() if isinstance(self.tracer, ProxyTracer) else self.tracer
        return not isinstance(source, _RECORDS_NOTHING) and getattr(source, "sampler", None) is not ALWAYS_OFF

    def find_foreign(self, observation: Observation) -> Span | None:
        """Return the recording span that somebody else started for this operation; None if there is none."""
        operation = observation.operation
        if self._mode == "own":
            return None
        if is_remote(operation):
            return self.find_call_span(operation)
        if isinstance(operation, Retrieval):
            return self._find_retrieval_span()
        return _find_tool_span(operation) if isinstance(operation, ToolCall) else None

    def passes(self, observation: Observation) -> bool:
        """Return True if an operation without a span of somebody else is not to get one."""
        if observation.is_suppressed and _foreign_spans.is_suppressed(get_current()):
            return True
        # Who has a span for a model call says so to those who would make another; mode `own` asks for both.
        is_left_alone = observation.is_suppressed and self._mode != "own"
        return (is_left_alone or self._mode == "enrich") and is_remote(observation.operation)

    def open(self, observation: Observation, foreign: Span | None, attributes: Attributes) -> OperationSpan:
        """Enrich the foreign span, or start one of our own and make it current."""
        operation = observation.operation
        assert operation is not None
        if foreign is not None:
            self._enriched.add(foreign)
            if isinstance(operation, Retrieval):
                adopt_surface(foreign, observation.scope)
            model = operation.model if is_remote(operation) else None
            is_measured_kind = is_remote(operation) or isinstance(operation, ToolCall)
            is_unmeasured = is_measured_kind and _foreign_spans.is_unmeasured(foreign, operation.operation, model)
            return ForeignSpan(foreign, {**attributes, **observation.late_attributes}, is_unmeasured)
        if isinstance(operation, Judgement):
            return NO_SPAN
        return OwnSpan(
            self.tracer.start_span(
                operation.span_name,
                kind=_KINDS[operation.span_kind],
                attributes=attributes,
                start_time=observation.started_ns,
            )
        )

    def ended(self, observation: Observation) -> None:
        """End our span, or add what a foreign one lacks."""
        if observation.span is not None:
            observation.span.finish(observation)

    def follow_attempt(self, span: ForeignSpan, operation: ClientOperation) -> None:
        """Go on with the span of the next attempt, if the maker of this one starts one for each."""
        found = self.find_call_span(operation) if span.is_of_one_attempt else None
        if found is not None and _foreign_spans.is_of_one_attempt(found):
            self._enriched.add(found)
            span.move_to(found)

    def find_call_span(self, operation: ClientOperation) -> Span | None:
        """Return the span that stands for a call: the current one, else one beside it of the same model."""
        current = trace.get_current_span()
        if self._can_enrich(current, operation):
            return current
        for span in _foreign_spans.recording_siblings(current):
            requested = _foreign_spans.find_model(span)
            names = (operation.model, operation.routed_model if isinstance(operation, ModelCall) else None)
            is_of_model = requested is None or any(_foreign_spans.is_same_model(requested, name) for name in names)
            if is_of_model and self._can_enrich(span, operation):
                return span
        return None

    def _find_retrieval_span(self) -> Span | None:
        """Return the current span if an adapter says that it is of a retrieval, and no operation has enriched it."""
        span = trace.get_current_span()
        is_described = _foreign_spans.is_described_as(span, RETRIEVAL)
        return span if is_described and span.is_recording() and span not in self._enriched else None

    def _can_enrich(self, span: Span, operation: ClientOperation) -> bool:
        """Return True if this recording span stands for this very call, and for no other before it."""
        if not span.is_recording() or _foreign_spans.is_ours(span) or span in self._enriched:
            return False
        return _foreign_spans.was_started_for(span, operation.operation, operation.model)


def _write_attempts(observation: Observation) -> None:
    if isinstance(observation.span, ForeignSpan) and observation.attempts is not None:
        observation.span.write_attempts(observation.sent_count, observation.attempts)


class ForeignSpanSink:
    """Keeps a foreign span up to date while its operation runs, because its maker ends it when he likes."""

    hears_calls = False

    def __init__(self, spans: SpanSink) -> None:
        self._spans = spans

    def started(self, observation: Observation) -> None:
        """Write the attempts so far to a span that is enriched in the place of one that has ended."""
        _write_attempts(observation)

    def attempt_started(self, observation: Observation) -> None:
        """Go on with a new span if its maker starts one for every attempt."""
        span, operation = observation.span, observation.operation
        if observation.sent_count > 1 and isinstance(span, ForeignSpan) and is_remote(operation):
            self._spans.follow_attempt(span, operation)
        _write_attempts(observation)

    def attempt_finished(self, observation: Observation, attempt: Attempt) -> None:
        """Write the attempts so far: if the call fails its maker ends the span before we know."""
        _write_attempts(observation)

    def answer_known(self, observation: Observation) -> None:
        """Write the answer at once: its maker may end the span before we are called again."""
        if isinstance(observation.span, ForeignSpan):
            observation.span.write_answer(observation)


def is_remote(operation: Operation | None) -> TypeGuard[ClientOperation]:
    """Return True if a client of a provider makes the operation: a model call, or a hosted retrieval."""
    return isinstance(operation, (ModelCall, Fetch)) or (
        isinstance(operation, Retrieval) and operation.provider is not None
    )


def _find_tool_span(call: ToolCall) -> Span | None:
    """Return the current span if a framework, or its adapter, made it for this execution of the tool."""
    span = trace.get_current_span()
    if not span.is_recording() or (_foreign_spans.is_ours(span) and not stands_for_framework(span)):
        return None
    is_this_tool = _foreign_spans.find_operation(span) == EXECUTE_TOOL and (
        _foreign_spans.find_tool_name(span) == call.name
    )
    return span if is_this_tool else None
