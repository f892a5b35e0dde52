"""instructor: a call that asks a model again, because its answer did not fit, says so.

The loop that asks gets the client's method as an argument, and calls it again only if an answer was of no use:
https://github.com/567-labs/instructor/blob/main/instructor/v2/core/retry.py
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from otel_agentops import _patching
from otel_agentops._client_call import UNOBSERVED
from otel_agentops._context import current_scope
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops._retries import INVALID_OUTPUT, MODEL, StepRetry
from otel_agentops.frameworks._retried_steps import RetriedStep


class Asking:
    """The client's method in one loop.

    Attributes:
        has_answered: True after the first answer, which the loop may refuse.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self.has_answered = False

    @guard
    def _begin(self) -> AbstractContextManager[object] | None:
        scope = current_scope()
        if not self.has_answered or scope.task is None:
            return None
        return RetriedStep(scope, StepRetry(MODEL, INVALID_OUTPUT))

    def ask(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        with self._begin() or UNOBSERVED:
            result = self._method(*args, **kwargs)
        self.has_answered = True
        return result

    async def ask_async(self, *args: Any, **kwargs: Any) -> Any:
        """Call the asynchronous method."""
        with self._begin() or UNOBSERVED:
            result = await self._method(*args, **kwargs)
        self.has_answered = True
        return result


def _wrap_loop(original: Method, library: PatchedLibrary) -> Method:
    def loop(func: Method, *args: Any, **kwargs: Any) -> Any:
        return original(Asking(func).ask if library.active else func, *args, **kwargs)

    return loop


def _wrap_async_loop(original: Method, library: PatchedLibrary) -> Method:
    async def loop(func: Method, *args: Any, **kwargs: Any) -> Any:
        return await original(Asking(func).ask_async if library.active else func, *args, **kwargs)

    return loop


PATCH = "instructor.v2.core.patch"  # where the loops are called from
LIBRARY = PatchedLibrary(
    "instructor",
    ">=1.15.4,<2",
    (
        Target(PATCH, "", "retry_sync_v2", _wrap_loop, ("func",)),
        Target(PATCH, "", "retry_async_v2", _wrap_async_loop, ("func",)),
    ),
    ClientInfo(
        operations=("`otel_agentops.retry.level` of a call that asks again",),
        not_covered=("a run: a call is no task, and needs one around it to say what it does again",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_instructor`."""

    libraries = (LIBRARY,)


InstructorInstrumentor = Instrumentor  # the name that others give theirs
