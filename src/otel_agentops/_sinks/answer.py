"""The attributes that the result of an operation adds to its span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from otel_agentops._derive import derive_answer, derive_attempts
from otel_agentops.operations import (
    NO_ANSWER,
    Answer,
    Attempt,
    Attributes,
    Fetch,
    ModelCall,
    Operation,
    Result,
    RetrievalResult,
)
from otel_agentops.semconv import attributes as A


class Observed(Protocol):
    """An operation and its result so far: an observation, or the facts that were taken from one at its end."""

    @property
    def operation(self) -> Operation | None:
        """Return what was asked."""

    @property
    def result(self) -> Result | None:
        """Return the result; None if there is none yet, or if it failed before."""

    @property
    def late_attributes(self) -> Attributes:
        """Return attributes that are written at the end."""

    @property
    def attempts(self) -> Sequence[Attempt] | None:
        """Return the attempts; None if the client hides them."""

    @property
    def error_type(self) -> str | None:
        """Return `error.type`; None if no exception ended it."""

    @property
    def cost_usd(self) -> float | None:
        """Return the cost; None if it is unknown."""

    @property
    def started_ns(self) -> int:
        """Return when it began."""

    @property
    def first_chunk_ns(self) -> int | None:
        """Return when the first chunk came; None if it was no stream."""


def answer_attributes(observation: Observed) -> Attributes:
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
        attributes = {**observation.late_attributes, **({} if result is None else result.attributes)}
        if isinstance(result, RetrievalResult) and result.document_count is not None:
            attributes[A.RETRIEVAL_DOCUMENT_COUNT] = result.document_count
        if observation.attempts is not None:
            attributes.update(derive_attempts(observation.attempts))
    error_type = observation.error_type or (None if result is None else result.error)
    if error_type is not None:
        attributes[A.ERROR_TYPE] = error_type
    return attributes
