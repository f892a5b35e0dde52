"""The client metrics of the conventions: duration, tokens and chunks of a call whose span is our own."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.trace import set_span_in_context

from otel_agentops._observation import Observation
from otel_agentops._sinks.own_span import OwnSpan
from otel_agentops._sinks.spans import is_remote
from otel_agentops.operations import NO_ANSWER, Answer, Attributes, Fetch, ModelCall, Retrieval
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

# Advisory boundaries of the conventions (gen_ai.client.token.usage, gen_ai.client.operation.duration).
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4.0**n for n in range(14)]


class ClientMetricsSink:
    """The four instruments of one installation."""

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

    def ended(self, observation: Observation) -> None:
        """Record one call of a client library; exemplars point at its span."""
        operation, span = observation.operation, observation.span
        if not is_remote(observation) or not isinstance(span, OwnSpan):
            return
        assert isinstance(operation, (ModelCall, Fetch, Retrieval))
        answer = observation.result if isinstance(observation.result, Answer) else NO_ANSWER
        context = set_span_in_context(span.span)
        labels = _read_labels(operation, answer)
        if observation.first_chunk_ns is not None:
            self._record_chunks(observation, observation.first_chunk_ns, labels, context)
        # A new mapping for each record: the SDK keeps the one it is given.
        labels = {
            **labels,
            **{key: answer.attributes[key] for key in observation.metric_labels if key in answer.attributes},
        }
        if answer.input_tokens is not None:
            self._tokens.record(answer.input_tokens, {**labels, A.GEN_AI_TOKEN_TYPE: "input"}, context)
        if answer.output_tokens is not None:
            self._tokens.record(answer.output_tokens, {**labels, A.GEN_AI_TOKEN_TYPE: "output"}, context)
        error_type = observation.error_type or answer.error
        if error_type is not None:
            labels[A.ERROR_TYPE] = error_type
        self._duration.record((observation.ended_ns - observation.started_ns) / 1e9, labels, context)

    def _record_chunks(
        self, observation: Observation, first_chunk_ns: int, labels: Attributes, context: Context
    ) -> None:
        """Record the time to the first chunk and the gap between chunks, as the stream's mean.

        The convention wants the gap for each chunk, at 8 us a point.
        """
        self._first_chunk.record((first_chunk_ns - observation.started_ns) / 1e9, labels, context)
        if observation.chunk_count > 1:
            gap_ns = (observation.last_chunk_ns - first_chunk_ns) / (observation.chunk_count - 1)
            self._chunk_gap.record(max(gap_ns, 0) / 1e9, labels, context)


def _read_labels(operation: ModelCall | Fetch | Retrieval, answer: Answer) -> Attributes:
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
    return labels
