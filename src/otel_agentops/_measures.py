"""The client metrics of the conventions: duration, tokens and chunks of a call whose span is our own."""

from __future__ import annotations

from typing import Any

from opentelemetry import metrics
from opentelemetry.context import Context

from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

# Advisory boundaries of the conventions (gen_ai.client.token.usage, gen_ai.client.operation.duration).
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [4**n for n in range(14)]
# What the convention adds to usage and duration where the provider is OpenAI.
_OPENAI_LABELS = (A.OPENAI_RESPONSE_SERVICE_TIER, A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT)


class Measures:
    """The four instruments of one installation."""

    def __init__(self, meter: metrics.Meter) -> None:
        def histogram(metric: Any, boundaries: list[Any]) -> metrics.Histogram:
            return meter.create_histogram(
                metric.name, metric.unit, metric.brief, explicit_bucket_boundaries_advisory=boundaries
            )

        self._duration = histogram(M.METRICS[M.GEN_AI_CLIENT_OPERATION_DURATION], _SECONDS)
        self._tokens = histogram(M.METRICS[M.GEN_AI_CLIENT_TOKEN_USAGE], _TOKENS)
        self._chunk_gap = histogram(M.METRICS[M.GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK], _SECONDS)
        self._first_chunk = histogram(M.METRICS[M.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK], _SECONDS)

    def call(self, call: ModelCall, answer: Answer, error_type: Any, seconds: float, context: Context) -> None:
        """One call. context: of its span, so that exemplars point at this very call."""
        # A new mapping each time: the SDK keeps the one it is given.
        labels = _labels(call, answer)
        for key in _OPENAI_LABELS:
            if key in answer.attributes:
                labels[key] = answer.attributes[key]
        if answer.input_tokens is not None:
            self._tokens.record(answer.input_tokens, {**labels, A.GEN_AI_TOKEN_TYPE: "input"}, context)
        if answer.output_tokens is not None:
            self._tokens.record(answer.output_tokens, {**labels, A.GEN_AI_TOKEN_TYPE: "output"}, context)
        if error_type is not None:
            labels[A.ERROR_TYPE] = error_type
        self._duration.record(seconds, labels, context)

    def chunks(
        self, call: ModelCall, answer: Answer, started: int, first: int, last: int, count: int, context: Context
    ) -> None:
        """The chunks of a stream, times in ns: the gap between them as the stream's mean, once.

        The convention wants it for each chunk, at 8 us a point.
        """
        labels = _labels(call, answer)
        self._first_chunk.record((first - started) / 1e9, labels, context)
        if count > 1:
            self._chunk_gap.record(max((last - first) / (count - 1), 0) / 1e9, labels, context)


def _labels(call: ModelCall, answer: Answer) -> dict[str, Any]:
    labels: dict[str, Any] = {A.GEN_AI_OPERATION_NAME: call.operation}
    if call.provider is not None:
        labels[A.GEN_AI_PROVIDER_NAME] = call.provider
    if call.model is not None:
        labels[A.GEN_AI_REQUEST_MODEL] = call.model
    if answer.model is not None:
        labels[A.GEN_AI_RESPONSE_MODEL] = answer.model
    for key in (A.SERVER_ADDRESS, A.SERVER_PORT):
        if key in call.attributes:
            labels[key] = call.attributes[key]
    return labels
