"""The stream class of a Stainless client, with a subclass in its place that reports every chunk, and its close.

The application's `isinstance` holds, and the raw and streaming responses are covered as well.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_args, get_origin

from otel_agentops._client_call import ClientCall
from otel_agentops._guard import guard
from otel_agentops._streams import observe_async_stream, observe_stream

T = TypeVar("T")

KEY = "otel_agentops.call"  # in `response.extensions`, which is ours to write and goes with the response
_MAX_CLASSES = 64  # that are kept: logfire makes a stream class for every call


@functools.lru_cache(_MAX_CLASSES)
def observe_stream_class(stream_cls: Any, package: str) -> Any:
    """Return the stream class of a package, with or without the type of its chunks, as one that reports them."""
    plain = get_origin(stream_cls) or stream_cls
    is_async = issubclass(plain, importlib.import_module(f"{package}._streaming").AsyncStream)
    observed = _make_subclass(plain, is_async)
    arguments = get_args(stream_cls)
    return observed[arguments] if arguments else observed


@functools.lru_cache(_MAX_CLASSES)
def _make_subclass(plain: Any, is_async: bool) -> Any:
    members = {
        "__stream__": _make_stream_method(plain, is_async),
        "close": _make_async_close(plain) if is_async else _make_close(plain),
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
    }
    # Spelt as a class statement would: the library looks for the chunk type in `__orig_bases__`.
    generic: Any = Generic
    bases = (plain[T], generic[T]) if getattr(plain, "__parameters__", ()) else (plain,)
    return types.new_class(plain.__name__, bases, exec_body=lambda namespace: namespace.update(members))


def _make_stream_method(plain: Any, is_async: bool) -> Callable[..., Any]:
    observe: Callable[..., Any] = observe_async_stream if is_async else observe_stream

    def stream(self: Any) -> Any:
        source = plain.__stream__(self)
        call = _find_call(self.response)
        return source if call is None else observe(source, call)

    return stream


def _make_close(plain: Any) -> Callable[..., Any]:
    def close(self: Any) -> None:
        end_call(self.response)
        plain.close(self)

    return close


def _make_async_close(plain: Any) -> Callable[..., Any]:
    async def close(self: Any) -> None:
        end_call(self.response)
        await plain.close(self)

    return close


def end_call(response: Any) -> None:
    """End the call of a response, whose stream is over."""
    call = _find_call(response)
    if call is not None:
        call.end()


def end_helper_call(stream: Any) -> None:
    """End the call of a stream around a stream, which closes the response and not ours."""
    end_call(stream._response)


@guard
def _find_call(response: Any) -> ClientCall | None:
    call: ClientCall | None = response.extensions.get(KEY)
    return call
