"""Retries and fallbacks within a task: recognised, written on the span that does it again, and counted."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from otel_agentops._observation import Observation
from otel_agentops._retries import (
    INVALID_OUTPUT,
    NODE,
    Failure,
    hash_request,
    hash_tool,
    match_model_call,
    match_tool_call,
    was_shed,
)
from otel_agentops.operations import Answer, Attributes, ModelCall, ToolCall
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.task_totals import TaskTotals


class RetryCounters:
    """The counters of retries and fallbacks of one installation; the writer of task totals asks for them."""

    def __init__(self, meter: Meter) -> None:
        retries, fallbacks = M.METRICS[M.RETRIES], M.METRICS[M.FALLBACKS]
        self._retries = meter.create_counter(retries.name, retries.unit, retries.brief)
        self._fallbacks = meter.create_counter(fallbacks.name, fallbacks.unit, fallbacks.brief)

    def recognise(self, observation: Observation, task: TaskTotals) -> None:
        """Find out what an operation of a task does again or stands in for; its span says so with the result."""
        operation, scope = observation.operation, observation.scope
        attributes: Attributes = {}
        if isinstance(operation, ModelCall) and task.failures:
            request = hash_request(getattr(observation, "body", None))
            maker = _find_maker(operation)
            attributes = match_model_call(task.failures, operation, request, maker, scope.facts)
        elif isinstance(operation, ToolCall) and task.failures:
            attributes = match_tool_call(task.failures, operation, len(task.model_calls))
        step = scope.step_retry
        if step is not None and step.cause is not None and A.FALLBACK_FROM not in attributes:
            # A request that is sent again as it was is a retry of the application, also in a step that asks again.
            asks_again = isinstance(operation, ModelCall) and operation.is_inference and not attributes
            if step.level == NODE or asks_again:
                attributes = {A.RETRY_LEVEL: step.level, A.RETRY_CAUSE: step.cause}
        if not attributes:
            return
        observation.late_attributes = {**observation.late_attributes, **attributes}
        labels: Attributes = {A.TASK_NAME: task.name}
        if isinstance(operation, ToolCall):
            labels[A.GEN_AI_TOOL_NAME] = operation.name
        elif isinstance(operation, ModelCall) and operation.model is not None:
            labels[A.GEN_AI_REQUEST_MODEL] = operation.model
        if A.FALLBACK_FROM in attributes:
            task.fallbacks.append(str(attributes[A.FALLBACK_FROM]))
            self._fallbacks.add(1, {**labels, A.FALLBACK_FROM: attributes[A.FALLBACK_FROM]})
        elif attributes[A.RETRY_LEVEL] != NODE:  # a step is counted once, and not for each operation in it
            self._add_retry(task, str(attributes[A.RETRY_LEVEL]), labels)

    def retry_node(self, task: TaskTotals) -> None:
        """Count that a framework enters a step again."""
        self._add_retry(task, NODE, {A.TASK_NAME: task.name})

    def _add_retry(self, task: TaskTotals, level: str, labels: Attributes) -> None:
        task.retried_levels.append(level)
        self._retries.add(1, {**labels, A.RETRY_LEVEL: level})


def remember_failure(observation: Observation, task: TaskTotals, cause: str) -> None:
    """Remember a failed operation of a task, to compare with what follows it."""
    operation, attempts = observation.operation, observation.attempts
    status = attempts[-1].status or None if attempts else getattr(observation, "refusal", None)
    if isinstance(operation, ModelCall):
        # The client's own parser refuses an answer that came whole.
        is_invalid = isinstance(observation.result, Answer) and status == _OK and not observation.chunk_count
        task.add_failure(
            Failure(
                operation.model,
                cause,
                hash_request(getattr(observation, "body", None)),
                _find_maker(operation),
                is_shed=was_shed(cause, status),
                is_invalid=is_invalid,
            )
        )
    elif isinstance(operation, ToolCall) and operation.arguments_hash is not None:
        task.add_failure(
            Failure(
                operation.name,
                cause,
                hash_tool(operation),
                is_shed=was_shed(cause, status),
                model_call_count=len(task.model_calls),
            )
        )


def describe_output(observation: Observation, call: ModelCall) -> Failure:
    """Return the failure that an answer is if its output turns out to be of no use."""
    request = hash_request(getattr(observation, "body", None))
    return Failure(call.model, INVALID_OUTPUT, request, _find_maker(call), is_invalid=True)


_OK = 200


def _find_maker(call: ModelCall) -> tuple[object, ...]:
    return call.provider, call.attributes.get(A.SERVER_ADDRESS)
