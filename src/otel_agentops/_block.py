"""A verb's block: a context manager and a decorator, sync and async, that telemetry trouble cannot break."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from typing_extensions import Self

from otel_agentops._guard import guard, say_once

P = ParamSpec("P")
R = TypeVar("R")


class Block:
    """What the verbs have in common. A subclass says what happens in `enter`, `exit` and `returned`, all guarded.

    As a decorator every call gets a block of its own, made from the arguments that the verb was called with. Used with
    `with`, one object is one block at a time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._made_with = (args, kwargs)
        self._stack = ExitStack()
        self._inside = 0

    def enter(self, stack: ExitStack) -> None:
        """Begin; what goes on the stack is left again when the block ends."""
        raise NotImplementedError

    def exit(self, error: BaseException | None) -> None:
        """End, with the block's own context still current. error: what left the block, None where nothing did."""

    def called(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """What the decorated function is called with, before `enter`."""

    def returned(self, result: Any) -> None:
        """What the decorated function returned."""

    @guard
    def _open(self) -> None:
        self._inside += 1
        if self._inside == 1:
            self.enter(self._stack)
        else:
            say_once(f"inside:{type(self).__name__}", _INSIDE, type(self).__name__)

    @guard
    def _close(self, error: BaseException | None) -> None:
        self._inside -= 1
        if self._inside:
            return
        try:
            self.exit(error)
        finally:
            self._stack.close()

    @guard
    def _returned(self, result: Any) -> None:
        self.returned(result)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function. Raises TypeError for generators: use the block inside them."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = type(self).__name__.lower()
            raise TypeError(
                f"@{name} cannot decorate the generator {function.__qualname__}; use `with {name}(...)` inside it"
            )
        args, kwargs = self._made_with

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*given: P.args, **named: P.kwargs) -> Any:
                block = type(self)(*args, **kwargs)
                block.called(function, given, named)
                with block:
                    result = await cast("Callable[P, Awaitable[Any]]", function)(*given, **named)
                    block._returned(result)
                    return result

            return cast("Callable[P, R]", awaited)

        @functools.wraps(function)
        def called(*given: P.args, **named: P.kwargs) -> R:
            block = type(self)(*args, **kwargs)
            block.called(function, given, named)
            with block:
                result = function(*given, **named)
                block._returned(result)
                return result

        return called


_INSIDE = "a %s(...) is entered again before it has ended and goes on as one; make a new one for each run"
