"""The metrics of the conventions: duration, tokens and chunks of a call, duration of a tool; unless others record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter

from otel_agentops._observation import Observation
from otel_agentops._sinks.spans import is_remote
from otel_agentops.operations import (
    INTERNAL,
    NO_ANSWER,
    Answer,
    Attributes,
    Fetch,
    ModelCall,
    Retrieval,
    ToolCall,
    ToolResult,
    Value,
)
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

# Advisory boundaries of the conventions (gen_ai.client.token.usage, gen_ai.client.operation.duration).
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4.0**n for n in range(14)]
_MAX_LABEL_SETS = 256  # that are kept before they are made anew; the hot set of a service is a handful

Labels = Mapping[str, Value]


class LabelSets(NamedTuple):
    """The labels of one kind of call, by instrument; kept and never changed, for the SDK keeps what it is given."""

    chunks: Labels
    input_tokens: Labels
    output_tokens: Labels
    duration: Labels


class ClientMetricsSink:
    """The five instruments of one installation."""

    def __init__(self, meter: Meter) -> None:
        def create_histogram(name: str, boundaries: list[float]) -> Histogram:
            metric = M.METRICS[name]
            return meter.create_histogram(
                metric.name, metric.unit, metric.brief, explicit_bucket_boundaries_advisory=boundaries
            )

        self._duration = create_histogram(M.GEN_AI_CLIENT_OPERATION_DURATION, _SECONDS)
        self._tokens = create_histogram(M.GEN_AI_CLIENT_TOKEN_USAGE, _TOKENS)
        self._chunk_gap = create_histogram(M.GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK, _SECONDS)
        self._first_chunk = create_histogram(M.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK, _SECONDS)
        self._tool_duration = create_histogram(M.GEN_AI_EXECUTE_TOOL_DURATION, _SECONDS)
        self._label_sets: dict[tuple[object, ...], LabelSets] = {}

    def ended(self, observation: Observation) -> None:
        """Record one call of a client library, or of a tool; exemplars point at its span."""
        operation, span = observation.operation, observation.span
        context = None if span is None else span.context
        if context is None:
            return
        if not is_remote(operation):
            if isinstance(operation, ToolCall) and operation.span_kind == INTERNAL:  # MCP has a metric of its own
                self._record_tool(observation, operation, context)
            return
        answer = observation.result if isinstance(observation.result, Answer) else NO_ANSWER
        labels = self._find_labels(observation, operation, answer)
        if observation.first_chunk_ns is not None:
            self._record_chunks(observation, observation.first_chunk_ns, labels.chunks, context)
        if answer.input_tokens is not None:
            self._tokens.record(answer.input_tokens, labels.input_tokens, context)
        if answer.output_tokens is not None:
            self._tokens.record(answer.output_tokens, labels.output_tokens, context)
        self._duration.record((observation.ended_ns - observation.started_ns) / 1e9, labels.duration, context)

    def _record_tool(self, observation: Observation, call: ToolCall, context: Context) -> None:
        labels: Attributes = {A.GEN_AI_TOOL_NAME: call.name, A.GEN_AI_TOOL_TYPE: "function"}
        result = observation.result
        error_type = observation.error_type or (result.error if isinstance(result, ToolResult) else None)
        if error_type is not None:
            labels[A.ERROR_TYPE] = error_type
        self._tool_duration.record((observation.ended_ns - observation.started_ns) / 1e9, labels, context)

    def _find_labels(
        self, observation: Observation, operation: ModelCall | Fetch | Retrieval, answer: Answer
    ) -> LabelSets:
        request_attributes, answer_attributes = operation.attributes, answer.attributes
        error_type = observation.error_type or answer.error
        key = (
            operation.operation,
            operation.provider,
            operation.model,
            answer.model,
            request_attributes.get(A.SERVER_ADDRESS),
            request_attributes.get(A.SERVER_PORT),
            error_type,
            observation.metric_labels,
            *map(answer_attributes.get, observation.metric_labels),
        )
        labels = self._label_sets.get(key)
        if labels is None:
            if len(self._label_sets) >= _MAX_LABEL_SETS:
                self._label_sets.clear()
            labels = self._label_sets[key] = _make_labels(operation, answer, observation.metric_labels, error_type)
        return labels

    def _record_chunks(self, observation: Observation, first_chunk_ns: int, labels: Labels, context: Context) -> None:
        """Record the time to the first chunk and the gap between chunks, as the stream's mean.

        The convention wants the gap for each chunk, at 8 us a point.
        """
        self._first_chunk.record((first_chunk_ns - observation.started_ns) / 1e9, labels, context)
        if observation.chunk_count > 1:
            gap_ns = (observation.last_chunk_ns - first_chunk_ns) / (observation.chunk_count - 1)
            self._chunk_gap.record(max(gap_ns, 0) / 1e9, labels, context)


def _make_labels(
    operation: ModelCall | Fetch | Retrieval, answer: Answer, metric_labels: tuple[str, ...], error_type: str | None
) -> LabelSets:
    labels: Attributes = {A.GEN_AI_OPERATION_NAME: operation.operation}
    if operation.provider is not None:
        labels[A.GEN_AI_PROVIDER_NAME] = operation.provider
    if operation.model is not None:
        labels[A.GEN_AI_REQUEST_MODEL] = operation.model
    if answer.model is not None:
        labels[A.GEN_AI_RESPONSE_MODEL] = answer.model
    for key in (A.SERVER_ADDRESS, A.SERVER_PORT):
        if key in operation.attributes:
            labels[key] = operation.attributes[key]
    labels_with_answer = {
        **labels,
        **{key: answer.attributes[key] for key in metric_labels if key in answer.attributes},
    }
    return LabelSets(
        labels,
        {**labels_with_answer, A.GEN_AI_TOKEN_TYPE: "input"},
        {**labels_with_answer, A.GEN_AI_TOKEN_TYPE: "output"},
        labels_with_answer if error_type is None else {**labels_with_answer, A.ERROR_TYPE: error_type},
    )
