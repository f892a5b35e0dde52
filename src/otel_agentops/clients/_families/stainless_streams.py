"""The stream class of a Stainless client with a subclass in its place that reports every chunk, and its close.

The application's `isinstance` holds, and the raw and streaming responses are covered as well.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar, get_args, get_origin

from otel_agentops._guard import guard
from otel_agentops._observation import Watch
from otel_agentops._streams import async_watched, watched

T = TypeVar("T")

KEY = "otel_agentops.watch"  # in `response.extensions`, which is ours to write and goes with the response


@functools.cache
def observing(stream_cls: Any, package: str) -> Any:
    """The stream class of a package, with or without the type of its chunks, as one that reports them."""
    plain = get_origin(stream_cls) or stream_cls
    asynchronous = issubclass(plain, importlib.import_module(f"{package}._streaming").AsyncStream)
    observed = _observed_class(plain, asynchronous)
    arguments = get_args(stream_cls)
    return observed[arguments] if arguments else observed


@functools.cache
def _observed_class(plain: Any, asynchronous: bool) -> Any:
    stream = _async_stream if asynchronous else _stream
    close = _async_close if asynchronous else _close
    members = {
        "__stream__": stream(plain),
        "close": close(plain),
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
    }
    # Spelt as a class statement would: the library looks for the chunk type in `__orig_bases__`.
    generic: Any = Generic
    bases = (plain[T], generic[T]) if getattr(plain, "__parameters__", ()) else (plain,)
    return types.new_class(plain.__name__, bases, exec_body=lambda namespace: namespace.update(members))


def _stream(plain: Any) -> Callable[..., Any]:
    def stream(self: Any) -> Iterator[Any]:
        source = plain.__stream__(self)
        watch = watch_of(self.response)
        return source if watch is None else watched(source, watch)

    return stream


def _async_stream(plain: Any) -> Callable[..., Any]:
    def stream(self: Any) -> AsyncIterator[Any]:
        source = plain.__stream__(self)
        watch = watch_of(self.response)
        return source if watch is None else async_watched(source, watch)

    return stream


def _close(plain: Any) -> Callable[..., None]:
    def close(self: Any) -> None:
        closed(self.response)
        plain.close(self)

    return close


def _async_close(plain: Any) -> Callable[..., Any]:
    async def close(self: Any) -> None:
        closed(self.response)
        await plain.close(self)

    return close


def closed(response: Any) -> None:
    """A stream of this response is over."""
    watch = watch_of(response)
    if watch is not None:
        watch.end()


@guard
def helper_closed(stream: Any) -> None:
    """The same of a stream around a stream, which closes the response and not ours."""
    closed(stream._response)


@guard
def watch_of(response: Any) -> Watch | None:
    """The watch that a response has with it."""
    watch: Watch | None = response.extensions.get(KEY)
    return watch
