"""Steps that a framework does again, so that the operations in them say why."""

from __future__ import annotations

from otel_agentops._context import Scope, swap_scope
from otel_agentops._retries import INVALID_OUTPUT, NO_REQUEST, Failure, StepRetry


class RetriedStep:
    """One step of a framework that may be done again, with all that runs in it.

    Args:
        scope: The scope around.
        retry: What is known of its failures.
    """

    def __init__(self, scope: Scope, retry: StepRetry) -> None:
        self._scope = scope
        self._retry = retry

    def __enter__(self) -> StepRetry:
        self._before = swap_scope(self._scope._replace(step_retry=self._retry))
        return self._retry

    def __exit__(self, *raised: object) -> None:
        swap_scope(self._before)


def expect_retry(scope: Scope) -> None:
    """Expect that the next call of a model in this run asks again, because an answer was of no use."""
    if scope.task is not None:
        scope.task.add_failure(Failure(None, INVALID_OUTPUT, NO_REQUEST, maker=(), place=scope.facts))
