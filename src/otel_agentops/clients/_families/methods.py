"""Calls watched at the method that makes them: its result is the answer, or what it yields are the pieces of one.

Somebody inside the call tells the watch when its request leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_agentops._observation import UNOBSERVED, Endpoint, begin
from otel_agentops._patching import Client
from otel_agentops._streams import async_lazily, lazily


def whole(endpoint: Endpoint, original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    """A method that returns the answer."""

    def method(*args: Any, **kwargs: Any) -> Any:
        with begin(patched, endpoint) or UNOBSERVED as watch:
            result = original(*args, **kwargs)
            if watch is not None:
                watch.answered(result)
            return result

    return method


def async_whole(endpoint: Endpoint, original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    """The same of a coroutine function."""

    async def method(*args: Any, **kwargs: Any) -> Any:
        with begin(patched, endpoint) or UNOBSERVED as watch:
            result = await original(*args, **kwargs)
            if watch is not None:
                watch.answered(result)
            return result

    return method


def stream(endpoint: Endpoint, original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    """A generator function, which makes its call with its first item."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return lazily(original(*args, **kwargs), lambda: begin(patched, endpoint))

    return method


def async_stream(endpoint: Endpoint, original: Callable[..., Any], patched: Client) -> Callable[..., Any]:
    """The same of an asynchronous generator function."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return async_lazily(original(*args, **kwargs), lambda: begin(patched, endpoint))

    return method
