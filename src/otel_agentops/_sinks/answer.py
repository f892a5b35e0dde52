"""The attributes that the result of an operation adds to its span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_agentops._derive import derive_answer, derive_attempts
from otel_agentops.operations import NO_ANSWER, Answer, Attributes, Fetch, ModelCall, RetrievalResult
from otel_agentops.semconv import attributes as A

if TYPE_CHECKING:
    from otel_agentops._observation import Observation


def answer_attributes(observation: Observation) -> Attributes:
    """Return the attributes of the result so far, with `error.type` if the operation failed."""
    operation, result = observation.operation, observation.result
    if isinstance(operation, (ModelCall, Fetch)):
        first_chunk_ns = observation.first_chunk_ns
        first_chunk_s = None if first_chunk_ns is None else (first_chunk_ns - observation.started_ns) / 1e9
        answer = result if isinstance(result, Answer) else NO_ANSWER
        attributes = {
            **observation.late_attributes,
            **derive_answer(operation, answer, observation.attempts, observation.cost_usd, first_chunk_s),
        }
    else:
        attributes = {} if result is None else dict(result.attributes)
        if isinstance(result, RetrievalResult) and result.document_count is not None:
            attributes[A.RETRIEVAL_DOCUMENT_COUNT] = result.document_count
        if observation.attempts is not None:
            attributes.update(derive_attempts(observation.attempts))
    error_type = observation.error_type or (None if result is None else result.error)
    if error_type is not None:
        attributes[A.ERROR_TYPE] = error_type
    return attributes
