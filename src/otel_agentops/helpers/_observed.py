"""The observation of a block: started when the block is entered, its span current until the block is left."""

from __future__ import annotations

from contextlib import ExitStack

from otel_agentops._derive import name_error
from otel_agentops._observation import Observation
from otel_agentops._telemetry import get_default
from otel_agentops.operations import Operation


def observe_block(stack: ExitStack, operation: Operation) -> Observation:
    """Start an operation; its span is no longer current when the stack is left."""
    observation = Observation(get_default())
    observation.start(operation)
    if observation.span is not None:
        stack.callback(observation.span.detach)
    return observation


def error_type_of(error: BaseException | None) -> str | None:
    """Return `error.type` of what left a block; None if nothing did."""
    return None if error is None else name_error(error)
