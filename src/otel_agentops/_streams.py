"""Streams on their way to the application: each item is seen once, and each stream ends once, whatever ends it.

`watched` is for a stream whose call was made before (the watch has been entered and left), `lazily` for one whose call
is only made when the first item is asked for: it is a generator function of the client, and nothing happens before.
`followed` is for an iterator object of the client's own, whose class is only known when it comes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary, finalize

from otel_agentops._guard import guard
from otel_agentops._observation import WATCH, Watch
from otel_agentops._patching import Client

_END = object()


def watched(source: Any, watch: Watch, told: bool = False) -> Iterator[Any]:
    """The items of a generator, each told to the watch before the application has it. told: somebody inside tells."""
    try:
        for chunk in source:
            if not told:
                watch.chunk(chunk)
            yield chunk
    except GeneratorExit:
        watch.dropped()
        raise
    except BaseException as error:
        watch.end(error)
        raise
    finally:
        source.close()
    watch.end()


async def async_watched(source: Any, watch: Watch, told: bool = False) -> AsyncIterator[Any]:
    """The same of an asynchronous generator."""
    try:
        async for chunk in source:
            if not told:
                watch.chunk(chunk)
            yield chunk
    except GeneratorExit:
        # The source is finalised as without us: closed here, the event loop's own closing of it would meet ours.
        watch.dropped()
        raise
    except BaseException as error:
        watch.end(error)
        await source.aclose()  # thrown in by the application: as without us it reaches the source as well
        raise
    watch.end()


@contextmanager
def ending(watch: Watch | None) -> Iterator[None]:
    """The block in which the application has a stream: with it the call is over, read to its end or not."""
    try:
        yield
    except GeneratorExit:
        if watch is not None:
            watch.dropped()
        raise
    except BaseException:
        if watch is not None:
            watch.end()
        raise
    if watch is not None:
        watch.end()


def _told_inside(watch: Watch) -> None:
    """The call itself tells when its request leaves."""


def lazily(
    source: Generator[Any, Any, Any],
    begin: Callable[[], Watch | None],
    leave: Callable[[Watch], object] = _told_inside,
) -> Generator[Any, Any, Any]:
    """The items of a generator that makes its call when the first is asked for.

    begin: makes the watch, just before; None leaves the stream unobserved. leave: tells the watch that the request
    leaves, where nothing inside the call does. Whether the attempt succeeded is told here where nobody inside has.
    """
    watch = begin()
    if watch is None:
        return (yield from source)
    with watch:
        leave(watch)
        first = next(source, _END)
        _came(watch)
    if first is _END:
        watch.end()
        return None
    return (yield from watched(_resumed(first, source), watch))


async def async_lazily(
    source: AsyncGenerator[Any, Any],
    begin: Callable[[], Watch | None],
    leave: Callable[[Watch], object] = _told_inside,
) -> AsyncIterator[Any]:
    """The same of an asynchronous generator."""
    watch = begin()
    if watch is None:
        async for item in source:
            yield item
        return
    with watch:
        leave(watch)
        first = await anext(source, _END)
        _came(watch)
    if first is _END:
        watch.end()
        return
    async for item in async_watched(_async_resumed(first, source), watch):
        yield item


def _came(watch: Watch) -> None:
    if watch.unanswered:
        watch.attempted(200)


def _resumed(first: Any, source: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    try:
        yield first
        return (yield from source)
    finally:
        source.close()


async def _async_resumed(first: Any, source: AsyncGenerator[Any, Any]) -> AsyncIterator[Any]:
    yield first
    async for item in source:
        yield item


_FOLLOWED: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()  # by the stream


@guard
def followed(client: Client, stream: Any, watch: Watch) -> None:
    """Tell the watch of every item of this iterator, which stays the object that it is: its class is patched once.

    While an item is fetched the watch is the current one: what is sent for it, late or once more, is an attempt of it.
    """
    while (inner := getattr(stream, "__wrapped__", None)) is not None:
        stream = inner  # the proxy of another instrumentation, which is to be told after us
    _FOLLOWED[stream] = watch
    # A task or thread that was started inside the call has the watch in its context, perhaps for ever.
    finalize(stream, watch.dropped).atexit = False
    for name, wrap in _STEPS.items():
        owner = next((each for each in type(stream).__mro__ if name in vars(each)), None)
        if owner is not None:
            client.meet(owner, name, wrap)


def _next(original: Callable[..., Any], client: Client) -> Callable[..., Any]:
    def step(stream: Any) -> Any:
        watch = _FOLLOWED.get(stream)
        if watch is None or WATCH.get() is watch:  # not ours, or a method of a base class
            return original(stream)
        token = WATCH.set(watch)
        try:
            item = original(stream)
        except BaseException as error:
            watch.end(None if isinstance(error, StopIteration) else error)
            raise
        finally:
            WATCH.reset(token)
        watch.chunk(item)
        return item

    return step


def _anext(original: Callable[..., Any], client: Client) -> Callable[..., Any]:
    async def step(stream: Any) -> Any:
        watch = _FOLLOWED.get(stream)
        if watch is None or WATCH.get() is watch:
            return await original(stream)
        token = WATCH.set(watch)
        try:
            item = await original(stream)
        except BaseException as error:
            watch.end(None if isinstance(error, StopAsyncIteration) else error)
            raise
        finally:
            with suppress(ValueError):  # closed from another context
                WATCH.reset(token)
        watch.chunk(item)
        return item

    return step


def _close(original: Callable[..., Any], client: Client) -> Callable[..., Any]:
    def close(stream: Any, *args: Any, **kwargs: Any) -> Any:  # of either kind: an awaitable is handed through
        _left(stream)
        return original(stream, *args, **kwargs)

    return close


@guard
def _left(stream: Any) -> None:
    watch = _FOLLOWED.get(stream)
    if watch is not None and WATCH.get() is not watch:
        watch.end()


_STEPS = {"__next__": _next, "__anext__": _anext, "close": _close, "aclose": _close}
