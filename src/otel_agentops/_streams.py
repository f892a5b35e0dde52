"""Streams on their way to the application: each item is seen once, and each stream ends once, whatever ends it.

`observe_stream` puts an iterator object around an SDK's iterator; `observe_class` leaves the SDK's own object in place
and patches its class. Both are iterators and no generators: asyncio closes the generators of a loop that ends all at
once, and an outer one that is closed while it closes the inner one is an error in the log.
"""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, finalize

from typing_extensions import Self, override

from otel_agentops._client_call import ACTIVE_CALL, ClientCall
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary

# Begins the call of a stream that makes its request when the first item is asked for; None leaves it unobserved.
BeginStream = Callable[[], "ClientCall | None"]


_END = object()


def _ignore_item(item: Any) -> None:
    """Tell nobody of an item: its call is unobserved, has ended, or is told in another way."""


class _StreamCore:
    """The part that both kinds of streams share: the source, and the call that is told of each item."""

    __slots__ = ("__weakref__", "_begin", "_call", "_has_own_hook", "_send", "_source", "_tell")

    def __init__(
        self,
        source: Any,
        call: ClientCall | None,
        begin: BeginStream | None = None,
        send: Callable[[ClientCall], object] | None = None,
        has_own_hook: bool = False,
    ) -> None:
        self._source = source
        self._begin = begin
        self._send = send
        self._call = call
        self._has_own_hook = has_own_hook
        self._tell = _ignore_item if call is None or has_own_hook else call.chunk_received

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Return the class of the source: others tell a stream by `isinstance(result, types.GeneratorType)`."""
        return type(self._source)

    def __getattr__(self, name: str) -> Any:
        if name in _StreamCore.__slots__:  # of one that is being copied
            raise AttributeError(name)
        return getattr(self._source, name)

    def _start(self) -> ClientCall | None:
        """Begin the call of a stream that makes its request with its first item; None leaves it unobserved."""
        begin, self._begin = self._begin, None
        call = self._call = None if begin is None else begin()
        if call is not None and not self._has_own_hook:
            self._tell = call.chunk_received
        return call

    def end_call(self, error: BaseException | None = None) -> None:
        """End the call; a stream that is closed was left early, which is no failure."""
        call, self._call, self._tell = self._call, None, _ignore_item
        if call is not None:
            if isinstance(error, (StopIteration, StopAsyncIteration)):
                call.stream_finished()
            else:
                call.end(None if isinstance(error, GeneratorExit) else error)

    def __del__(self) -> None:
        if self._call is not None:
            self._call.abandon()


class ObservedStream(_StreamCore, Generator[Any, Any, Any]):
    """An iterator of an SDK whose items are told to a call; it has what a generator has."""

    __slots__ = ()

    @override
    def __iter__(self) -> Self:
        return self

    @override
    def __next__(self) -> Any:
        if self._begin is not None and (call := self._start()) is not None:
            return self._fetch_first(call)
        try:  # not by `_step`: this is done for every chunk
            item = self._source.__next__()
        except BaseException as error:
            self.end_call(error)
            raise
        self._tell(item)
        return item

    def _fetch_first(self, call: ClientCall) -> Any:
        with call:
            if self._send is not None:
                self._send(call)
            item = next(self._source, _END)
            if call.is_attempt_in_flight:  # nothing inside the call has told
                call.attempt_finished(200)
        if item is _END:
            call.stream_finished()
            raise StopIteration
        self._tell(item)
        if call.is_preparing:
            self._begin = lambda: call
        return item

    def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        try:
            item = advance(*args)
        except BaseException as error:
            self.end_call(error)
            raise
        self._tell(item)
        return item

    @override
    def send(self, value: Any) -> Any:
        """Send a value into a generator; an iterator that is none takes None alone."""
        return self.__next__() if value is None else self._step(self._source.send, value)

    @override
    def throw(self, *error: Any) -> Any:
        """Raise an exception inside a generator."""
        return self._step(self._source.throw, *error)

    @override
    def close(self) -> None:
        """Close the stream: its call has ended, read to its end or not."""
        self.end_call()
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


class ObservedAsyncStream(_StreamCore, AsyncGenerator[Any, Any]):
    """Async version of `ObservedStream`.

    A loop that ends closes the SDK's generator inside and never tells us: what is open then ends with the process.
    """

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _end_at_exit(self)

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> Any:
        if self._begin is not None and (call := self._start()) is not None:
            return await self._fetch_first(call)
        try:
            item = await self._source.__anext__()
        except BaseException as error:
            self.end_call(error)
            raise
        self._tell(item)
        return item

    async def _fetch_first(self, call: ClientCall) -> Any:
        with call:
            if self._send is not None:
                self._send(call)
            item = await anext(self._source, _END)
            if call.is_attempt_in_flight:
                call.attempt_finished(200)
        if item is _END:
            call.stream_finished()
            raise StopAsyncIteration
        self._tell(item)
        if call.is_preparing:
            self._begin = lambda: call
        return item

    async def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        try:
            item = await advance(*args)
        except BaseException as error:
            self.end_call(error)
            raise
        self._tell(item)
        return item

    @override
    async def asend(self, value: Any) -> Any:
        """Send a value into a generator; an iterator that is none takes None alone."""
        return await (self.__anext__() if value is None else self._step(self._source.asend, value))

    @override
    async def athrow(self, *error: Any) -> Any:
        """Raise an exception inside a generator."""
        return await self._step(self._source.athrow, *error)

    @override
    async def aclose(self) -> None:
        """Close the stream: its call has ended, read to its end or not."""
        self.end_call()
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


_open_streams: WeakSet[ObservedAsyncStream] = WeakSet()


def _end_at_exit(stream: ObservedAsyncStream) -> None:
    """End the stream's call when the process ends; what is registered last runs before the providers' shutdown."""
    _register_at_exit()
    _open_streams.add(stream)


@functools.cache
def _register_at_exit() -> None:
    atexit.register(_end_open_streams)


@guard
def _end_open_streams() -> None:
    for stream in list(_open_streams):
        stream.end_call()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_streams.clear)  # they are the parent's to end


def observe_stream(source: Iterator[Any], call: ClientCall, *, has_own_hook: bool = False) -> ObservedStream:
    """Return an iterator over a stream whose request was made before.

    has_own_hook: True if something inside tells the call of each chunk.
    """
    return ObservedStream(source, call, has_own_hook=has_own_hook)


def observe_async_stream(
    source: AsyncIterator[Any], call: ClientCall, *, has_own_hook: bool = False
) -> ObservedAsyncStream:
    """Async version of `observe_stream`."""
    return ObservedAsyncStream(source, call, has_own_hook=has_own_hook)


def observe_lazy_stream(
    source: Iterator[Any], begin: BeginStream, send: Callable[[ClientCall], object] | None = None
) -> ObservedStream:
    """Return an iterator over a stream that makes its request when the first item is asked for.

    Args:
        source: The SDK's iterator.
        begin: Begins the call just before.
        send: Tells the call that its attempt starts, if nothing inside does. The attempt's end is told here unless
            something inside has.
    """
    return ObservedStream(source, None, begin, send)


def observe_lazy_async_stream(
    source: AsyncIterator[Any],
    begin: BeginStream,
    send: Callable[[ClientCall], object] | None = None,
    *,
    has_own_hook: bool = False,
) -> ObservedAsyncStream:
    """Async version of `observe_lazy_stream`.

    has_own_hook: True if something inside tells the call of each chunk.
    """
    return ObservedAsyncStream(source, None, begin, send, has_own_hook)


@contextmanager
def end_with_block(call: ClientCall | None) -> Iterator[None]:
    """End the call with the block in which the application has its stream, read to its end or not."""
    try:
        yield
    except GeneratorExit:
        if call is not None:
            call.abandon()
        raise
    except BaseException:
        if call is not None:
            call.end()
        raise
    if call is not None:
        call.end()


_CALLS: WeakKeyDictionary[Any, ClientCall] = WeakKeyDictionary()  # by the SDK's stream


@guard
def observe_class(library: PatchedLibrary, stream: Any, call: ClientCall) -> None:
    """Tell the call of every item of an iterator that stays the object that it is: its class is patched once.

    While an item is fetched the call is the active one: what is sent for it, late or once more, is its attempt.
    """
    while (inner := getattr(stream, "__wrapped__", None)) is not None:
        stream = inner  # the proxy of another instrumentation, which is to be told after us
    _CALLS[stream] = call
    # A task or thread that was started inside the call has the call in its context, perhaps for ever.
    finalize(stream, call.abandon).atexit = False
    for name, wrap in _STEPS.items():
        owner = next((each for each in type(stream).__mro__ if name in vars(each)), None)
        if owner is not None:
            library.patch_class(owner, name, wrap)


def _find_idle_call(stream: Any) -> ClientCall | None:
    """Return the call of a stream, unless a method of a base class is running inside it."""
    call = _CALLS.get(stream)
    return None if call is None or ACTIVE_CALL.get() is call else call


def _wrap_next(original: Method, library: PatchedLibrary) -> Method:
    def step(stream: Any) -> Any:
        call = _find_idle_call(stream)
        if call is None:
            return original(stream)
        token = ACTIVE_CALL.set(call)
        try:
            item = original(stream)
        except BaseException as error:
            call.stream_finished() if isinstance(error, StopIteration) else call.end(error)
            raise
        finally:
            ACTIVE_CALL.reset(token)
        call.chunk_received(item)
        return item

    return step


def _wrap_anext(original: Method, library: PatchedLibrary) -> Method:
    async def step(stream: Any) -> Any:
        call = _find_idle_call(stream)
        if call is None:
            return await original(stream)
        token = ACTIVE_CALL.set(call)
        try:
            item = await original(stream)
        except BaseException as error:
            call.stream_finished() if isinstance(error, StopAsyncIteration) else call.end(error)
            raise
        finally:
            with suppress(ValueError):  # closed from another context
                ACTIVE_CALL.reset(token)
        call.chunk_received(item)
        return item

    return step


def _wrap_close(original: Method, library: PatchedLibrary) -> Method:
    def close(stream: Any, *args: Any, **kwargs: Any) -> Any:  # of either kind: an awaitable is handed through
        _end_call(stream)
        return original(stream, *args, **kwargs)

    return close


@guard
def _end_call(stream: Any) -> None:
    call = _find_idle_call(stream)
    if call is not None:
        call.end()


_STEPS = {"__next__": _wrap_next, "__anext__": _wrap_anext, "close": _wrap_close, "aclose": _wrap_close}
