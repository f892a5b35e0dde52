"""Runs of frameworks: the outermost one is the task, unless the application has opened one; others are its agents.

A run may be a call, a coroutine or an iterator that the application reads. An iterator runs in the context of whoever
reads it, so that the scope of the run holds inside each step alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any, Literal, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span, set_span_in_context
from typing_extensions import override

from otel_agentops._block import Block
from otel_agentops._context import Scope, current_scope, entered_scope, swap_scope
from otel_agentops._deferred_work import defer
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Wrap
from otel_agentops._placement import adopt_execution, await_native_span
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.helpers import task, tool
from otel_agentops.semconv import attributes as A

T = TypeVar("T")
Told = Callable[[Any, Any], object]
Kind = Literal["call", "coroutine", "iterator", "async_iterator", "async_manager"]
INTERRUPTED = "interrupted"
_RUN = otel_context.create_key("otel_agentops.run")


class Run(task):
    """One run of an agent, a graph or a crew.

    Args:
        name: The name that the program gave it.
        conversation_id: The id under which the framework keeps the conversation; None if it keeps none.
        user: The id of the person who is served; None if the framework is not told.
        pauses: Exceptions by which the framework stops a run that is to go on later, which is no failure.
        has_native_span: True if the framework may have a span of its own for this run, directly below.

    Attributes:
        is_current: False if the span of an iterator is not to be current in its steps. Another instrumentation around
            may make its own span current inside a step and undo that after it, which would leave ours to the reader.
        expected: The object whose next call is this very run; None if there is none.
    """

    def __init__(
        self,
        name: str,
        *,
        conversation_id: object = None,
        user: str | None = None,
        pauses: tuple[type[BaseException], ...] = (),
        has_native_span: bool = False,
    ) -> None:
        super().__init__(name, user=user)
        self._has_native_span = has_native_span
        self._declared[A.GEN_AI_CONVERSATION_ID] = None if conversation_id is None else str(conversation_id)
        self._pauses = pauses
        self.is_current = True
        self.expected: object = None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        super().enter_block(stack)
        if self._has_native_span:
            await_native_span(get_current_span())
        token = otel_context.attach(otel_context.set_value(_RUN, self))
        stack.callback(otel_context.detach, token)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if isinstance(error, self._pauses):
            self.end_as(INTERRUPTED)
            error = None
        super().exit_block(error)

    def end_as(self, outcome: str, error_type: str | None = None) -> None:
        """Set how the run ends, as the framework tells it; the last one counts.

        Args:
            outcome: An outcome of a task; it is left out if the run is an agent of another task.
            error_type: `error.type` if it failed without an exception; None for none.
        """
        self._outcome = outcome
        self._failure = error_type


class ToolRun(tool):
    """One execution of a tool that a framework asked for: a call of the same tool inside is a part of it.

    Args:
        name: The name under which the model was offered it.
        pauses: Exceptions by which a tool stops its run until somebody has answered, which is no failure.
        reports: Exceptions by which the framework tells the model of a failure.
        **options: Those of the verb `tool`.
    """

    def __init__(
        self,
        name: str,
        *,
        pauses: tuple[type[BaseException], ...] = (),
        reports: tuple[type[BaseException], ...] = (),
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self._pauses = pauses
        self._reports = reports

    @override
    def enter_block(self, stack: ExitStack) -> None:
        super().enter_block(stack)
        span = get_current_span()
        if span is getattr(self._observation and self._observation.span, "span", None):
            adopt_execution(span, self.name, current_scope())

    @override
    def exit_block(self, error: BaseException | None) -> None:
        if error is not None and isinstance(error, self._reports):
            self.note_refusal(error)
            self.fail()
        super().exit_block(None if isinstance(error, self._pauses + self._reports) else error)


def current_run() -> Run | None:
    """Return the innermost run of a framework here; None outside of any."""
    run = otel_context.get_current().get(_RUN)
    return run if isinstance(run, Run) else None


def enter_span(stack: ExitStack, span: Span) -> None:
    """Make another's span current until the stack is left, which its maker could not do from another thread."""
    if get_current_span() is not span:
        stack.callback(otel_context.detach, otel_context.attach(set_span_in_context(span)))


def keep_scope(function: Callable[..., T]) -> Callable[..., T]:
    """Return a function that runs in the scope and below the span of here, in whichever thread it is called.

    The rest of the context is that of the thread, which the framework may have set up.
    """
    scope, current = entered_scope(), otel_context.get_current()

    def call(*args: Any, **kwargs: Any) -> T:
        before, token = swap_scope(scope), otel_context.attach(current)
        try:
            return function(*args, **kwargs)
        finally:
            otel_context.detach(token)
            swap_scope(before)

    return call


def _do_nothing(block: Any, result: Any) -> None:
    """Leave it to the exception, or its absence, how the block ended."""


def wrap_block(read: Callable[[Arguments, Keywords], Block | None], kind: Kind, returned: Told = _do_nothing) -> Wrap:
    """Return the wrapper of a method that is a whole run, or a whole execution of a tool.

    Args:
        read: Positional and keyword arguments to a `Run` or a `tool`; None to leave the call alone.
        kind: What the method is.
        returned: The block and the result, to tell how it ended; of an iterator, the block and each item; of a
            context manager, the block and what it gave when it was entered.
    """
    read_block = guard(read)
    tell = guard(returned)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def begin(args: Arguments, kwargs: Keywords) -> Any:
            return read_block(args, kwargs) if library.active else None

        def call(*args: Any, **kwargs: Any) -> Any:
            if (block := begin(args, kwargs)) is None:
                return original(*args, **kwargs)
            with block:
                result = original(*args, **kwargs)
                tell(block, result)
                return result

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            if (block := begin(args, kwargs)) is None:
                return await original(*args, **kwargs)
            with block:
                result = await original(*args, **kwargs)
                tell(block, result)
                return result

        def begin_later(*args: Any, **kwargs: Any) -> Any:
            source = original(*args, **kwargs)
            return source if (block := begin(args, kwargs)) is None else _LATER[kind](source, block, tell)

        if kind in _LATER:
            return begin_later
        return call if kind == "call" else call_async

    return wrap


class _Steps:
    """The steps of a run that is an iterator: it is entered by the first and left after the last.

    The run is entered in a context of its own, because another task or thread may read the next item. Its scope and
    its span are then made current for each step.
    """

    def __init__(self, source: Any, block: Run, tell: Told) -> None:
        self._source = source
        self._block = block
        self._tell = tell
        self._scope: Scope | None = None  # until it has begun
        self._has_begun = False
        self._has_ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @guard
    def _begin(self) -> None:
        self._has_begun = True
        self._context = copy_context()
        self._scope, self._otel = self._context.run(self._enter)

    def _enter(self) -> tuple[Scope, Context]:
        self._block.__enter__()
        return entered_scope(), otel_context.get_current()

    @contextmanager
    def _step(self) -> Iterator[None]:
        if not self._has_begun:
            self._begin()
        if self._has_ended or self._scope is None:
            yield
            return
        attached = otel_context.attach(self._otel) if self._block.is_current else None
        before = swap_scope(self._scope)
        try:
            yield
        finally:
            swap_scope(before)
            if attached is not None:
                # What the framework left current for its next step, a span of its own for one.
                self._otel = otel_context.get_current()
                otel_context.detach(attached)

    @guard
    def end(self, error: BaseException | None = None) -> None:
        """End the run, once."""
        if not self._has_begun or self._has_ended:
            return
        self._has_ended = True
        self._context.run(self._block.__exit__, None if error is None else type(error), error, None)

    def _read(self, item: T) -> T:
        self._tell(self._block, item)
        return item

    def __del__(self) -> None:
        if self._has_begun and not self._has_ended:
            defer(lambda: self.end(GeneratorExit()))


class PulledRun(_Steps):
    """A run whose stream is an object of the framework, which enters `pull` around each step and calls `close`."""

    _error: BaseException | None = GeneratorExit()  # unless a step says that it was the last one

    @contextmanager
    def pull(self) -> Iterator[None]:
        """Make the scope and the span of the run current for one step."""
        try:
            with self._step():
                yield
        except StopAsyncIteration:
            self._error = None
            raise
        except BaseException as error:
            self._error = error
            raise

    def close(self) -> None:
        """End the run as its last step did."""
        self.end(self._error)


class RunIterator(_Steps, Generator[Any, Any, Any]):
    """A run that the application reads item by item."""

    @override
    def __next__(self) -> Any:
        return self._advance(self._source.__next__)

    @override
    def send(self, value: Any) -> Any:
        """Send a value into the generator."""
        return self._advance(self._source.send, value)

    @override
    def throw(self, *error: Any) -> Any:
        """Raise an exception inside the generator."""
        return self._advance(self._source.throw, *error)

    @override
    def close(self) -> None:
        """Close the generator: a run that is left early is cancelled."""
        try:
            with self._step():
                self._source.close()
        finally:
            self.end(GeneratorExit())

    def _advance(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            with self._step():
                return self._read(step(*args))
        except StopIteration:
            self.end()
            raise
        except BaseException as error:
            self.end(error)
            raise


class AsyncRunIterator(_Steps, AsyncGenerator[Any, Any]):
    """A run that the application reads item by item with `async for`."""

    @override
    async def __anext__(self) -> Any:
        return await self._advance(self._source.__anext__)

    @override
    async def asend(self, value: Any) -> Any:
        """Send a value into the generator."""
        return await self._advance(self._source.asend, value)

    @override
    async def athrow(self, *error: Any) -> Any:
        """Raise an exception inside the generator."""
        return await self._advance(self._source.athrow, *error)

    @override
    async def aclose(self) -> None:
        """Close the generator: a run that is left early is cancelled."""
        try:
            with self._step():
                await self._source.aclose()
        finally:
            self.end(GeneratorExit())

    async def _advance(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            with self._step():
                return self._read(await step(*args))
        except StopAsyncIteration:
            self.end()
            raise
        except BaseException as error:
            self.end(error)
            raise


def continue_run(run: PulledRun, stream: Any) -> Any:
    """Return the stream that a method returned before its run had ended: the run ends with the stream.

    Args:
        run: The run, which has begun.
        stream: A generator, or an asynchronous one.
    """
    # A proxy of another instrumentation has the methods of both kinds, and the class of its stream.
    kind = AsyncRunIterator if hasattr(stream.__class__, "__anext__") else RunIterator
    rest = object.__new__(kind)
    rest.__dict__.update(vars(run), _source=stream)
    run._has_ended = True
    return rest


class ManagedRun(AsyncGenerator[Any, Any]):
    """The generator of an asynchronous context manager that is a run: its scope holds inside the `async with`."""

    def __init__(self, source: AsyncGenerator[Any, Any], block: Block, tell: Told) -> None:
        self._source = source
        self._block = block
        self._tell = tell
        self._item: Any = None
        self._has_begun = False

    @override
    async def asend(self, value: Any) -> Any:
        """Enter the context manager, or leave it after a block that ended."""
        return await self._advance(self._source.asend, value)

    @override
    async def athrow(self, *error: Any) -> Any:
        """Leave the context manager after a block that raised."""
        return await self._advance(self._source.athrow, *error)

    @override
    async def aclose(self) -> None:
        """Leave the context manager, which nobody did."""
        try:
            await self._source.aclose()
        finally:
            self._block.__exit__(GeneratorExit, GeneratorExit(), None)

    async def _advance(self, step: Callable[..., Any], *args: Any) -> Any:
        if not self._has_begun:
            self._has_begun = True
            self._block.__enter__()
        try:
            self._item = await step(*args)
        except StopAsyncIteration:
            self._tell(self._block, self._item)
            self._block.__exit__(None, None, None)
            raise
        except BaseException as error:
            self._block.__exit__(type(error), error, None)
            raise
        return self._item


def _manage(manager: Any, block: Block, tell: Told) -> Any:
    """Return the same context manager of `contextlib`, whose generator is ours."""
    manager.gen = ManagedRun(manager.gen, block, tell)
    return manager


# What begins when the application uses what the method returned.
_LATER: Mapping[str, Callable[[Any, Any, Told], Any]] = {
    "iterator": RunIterator,
    "async_iterator": AsyncRunIterator,
    "async_manager": _manage,
}
