"""The base of the verbs: a context manager and decorator, sync and async, whose telemetry steps are guarded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from typing_extensions import Self

from otel_agentops._guard import guard, say_once

P = ParamSpec("P")
R = TypeVar("R")


class Block:
    """The base class of the verbs.

    A subclass overrides `enter_block`, `exit_block`, `prepare_call` and `record_result`. As a decorator it makes a new
    block for each call, from the arguments of its own constructor. In a `with` statement one object is one block at a
    time.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._constructor_arguments = (args, kwargs)
        self._stack = ExitStack()
        self._depth = 0

    def enter_block(self, stack: ExitStack) -> None:
        """Begin the block; the stack is closed after `exit_block`."""
        raise NotImplementedError

    def exit_block(self, error: BaseException | None) -> None:
        """End the block, whose context is still current.

        Args:
            error: The exception that leaves the block; None if there is none.
        """

    def prepare_call(
        self, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        """Read the arguments of a decorated function, before `enter_block`."""

    def record_result(self, result: object) -> None:
        """Read the result of a decorated function, before `exit_block`."""

    @guard
    def _enter_guarded(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self.enter_block(self._stack)
        else:
            say_once(f"inside:{type(self).__name__}", _REENTERED, type(self).__name__)

    @guard
    def _exit_guarded(self, error: BaseException | None) -> None:
        self._depth -= 1
        if self._depth:
            return
        try:
            self.exit_block(error)
        finally:
            self._stack.close()

    @guard
    def _record_guarded(self, result: object) -> None:
        self.record_result(result)

    def __enter__(self) -> Self:
        self._enter_guarded()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit_guarded(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit_guarded(error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function.

        Raises:
            TypeError: The function is a generator; use the block inside it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = type(self).__name__.lower()
            raise TypeError(
                f"@{name} cannot decorate the generator {function.__qualname__}; use `with {name}(...)` inside it"
            )
        args, kwargs = self._constructor_arguments

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*call_args: P.args, **call_kwargs: P.kwargs) -> object:
                block = type(self)(*args, **kwargs)
                block.prepare_call(function, call_args, call_kwargs)
                with block:
                    result = await cast("Callable[P, Awaitable[object]]", function)(*call_args, **call_kwargs)
                    block._record_guarded(result)
                    return result

            return cast("Callable[P, R]", call_async)

        @functools.wraps(function)
        def call_sync(*call_args: P.args, **call_kwargs: P.kwargs) -> R:
            block = type(self)(*args, **kwargs)
            block.prepare_call(function, call_args, call_kwargs)
            with block:
                result = function(*call_args, **call_kwargs)
                block._record_guarded(result)
                return result

        return call_sync


_REENTERED = "a %s(...) is entered again before it has ended and goes on as one; make a new one for each run"
