"""The observation of a block: started when the block is entered, its span current until the block is left."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from otel_agentops._derive import name_error
from otel_agentops._endpoint import Content
from otel_agentops._observation import Hook, Observation
from otel_agentops._telemetry import get_default
from otel_agentops.operations import Operation


def observe_block(stack: ExitStack, operation: Operation) -> Observation:
    """Start an operation; its span is no longer current when the stack is left."""
    observation = Observation(get_default())
    observation.start(operation)
    if observation.span is not None:
        stack.callback(observation.span.detach)
    return observation


def tell_content(hooks: Iterable[Hook], observation: Observation, content: Content) -> None:
    """Tell what was said in an operation to the hooks that read it, a request's or an answer's."""
    for hook in hooks:
        hook(observation, content)


def error_type_of(error: BaseException | None) -> str | None:
    """Return `error.type` of what left a block; None if nothing did."""
    return None if error is None else name_error(error)
