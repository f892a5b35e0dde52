"""calls observed at the method that makes them: its result is the answer, or what it yields are the pieces of one.

Somebody inside the call tells the watch when its request leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_agentops._client_call import UNOBSERVED, Endpoint, begin_call
from otel_agentops._patching import PatchedLibrary
from otel_agentops._streams import observe_lazy_async_stream, observe_lazy_stream


def whole(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """A method that returns the answer."""

    def method(*args: Any, **kwargs: Any) -> Any:
        with begin_call(patched, endpoint) or UNOBSERVED as watch:
            result = original(*args, **kwargs)
            if watch is not None:
                watch.response_received(result)
            return result

    return method


def async_whole(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The same of a coroutine function."""

    async def method(*args: Any, **kwargs: Any) -> Any:
        with begin_call(patched, endpoint) or UNOBSERVED as watch:
            result = await original(*args, **kwargs)
            if watch is not None:
                watch.response_received(result)
            return result

    return method


def stream(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """A generator function, which makes its call with its first item."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return observe_lazy_stream(original(*args, **kwargs), lambda: begin_call(patched, endpoint))

    return method


def async_stream(endpoint: Endpoint, original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The same of an asynchronous generator function."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return observe_lazy_async_stream(original(*args, **kwargs), lambda: begin_call(patched, endpoint))

    return method
