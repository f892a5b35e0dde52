"""A gRPC stub, observed: unary and streamed methods, sync and aio, and answers that are asked for until they are there.

A stub has its methods as attributes of the instance, so it is a copy of the stub that is observed, and the original
stays as it is. What a method is called with is the final message; how often gRPC's core then sends it nobody is told.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from otel_agentops._client_call import ACTIVE_CALL, UNOBSERVED, ClientCall, Endpoint, begin_call
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary
from otel_agentops._streams import observe_async_stream, observe_stream
from otel_agentops.clients._protocols.fields import as_text
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

Run = Callable[..., Any]  # a method's original and the arguments of a call to its result


@guard
def _observe(holder: Any, methods: Callable[[], Mapping[str, Run]]) -> None:
    """Give what holds a stub a copy of it whose methods of these names run so, unless it has such a copy."""
    stub = holder._stub
    if any(isinstance(method, _Method) for method in vars(stub).values()):
        return
    observed = copy.copy(stub)
    for name, run in methods().items():
        if hasattr(stub, name):  # a stand-in has what its test calls
            setattr(observed, name, _Method(getattr(stub, name), run))
    holder._stub = observed


class _Method:
    """A method of a stub; all but the call is the original's."""

    __slots__ = ("_original", "_run")

    def __init__(self, original: Any, run: Run) -> None:
        self._original = original
        self._run = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(self._original, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _Method.__slots__:  # of one that is being copied
            raise AttributeError(name)
        return getattr(self._original, name)


def unary(patched: PatchedLibrary, endpoint: Endpoint, facts: Any) -> Run:
    """One message, one answer."""

    def run(original: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        with begin_call(patched, endpoint) or UNOBSERVED as watch:
            if watch is None:
                return original(sent, *args, **kwargs)
            watch.attempt_started(sent, facts)
            result = original(sent, *args, **kwargs)
            watch.response_received(result)
            return result

    return run


def async_unary(patched: PatchedLibrary, endpoint: Endpoint, facts: Any) -> Run:
    """The same of aio."""

    async def run(original: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        with begin_call(patched, endpoint) or UNOBSERVED as watch:
            if watch is None:
                return await original(sent, *args, **kwargs)
            watch.attempt_started(sent, facts)
            result = await original(sent, *args, **kwargs)
            watch.response_received(result)
            return result

    return run


def stream(patched: PatchedLibrary, endpoint: Endpoint, facts: Any) -> Run:
    """One message, many answers."""
    return _stream(patched, endpoint, facts, lambda items, watch: observe_stream((item for item in items), watch))


def async_stream(patched: PatchedLibrary, endpoint: Endpoint, facts: Any) -> Run:
    """The same of aio."""
    return _stream(
        patched, endpoint, facts, lambda items, watch: observe_async_stream((item async for item in items), watch)
    )


def _stream(patched: PatchedLibrary, endpoint: Endpoint, facts: Any, watching: Callable[[Any, ClientCall], Any]) -> Run:
    def run(original: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        with begin_call(patched, endpoint) or UNOBSERVED as watch:
            if watch is None:
                return original(sent, *args, **kwargs)
            watch.attempt_started(sent, facts)
            return watching(original(sent, *args, **kwargs), watch)

    return run


def around(endpoint: Endpoint) -> Callable[..., Any]:
    """What replaces a function that makes a call out of several messages."""

    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        def whole(*args: Any, **kwargs: Any) -> Any:
            with begin_call(patched, endpoint) or UNOBSERVED:
                return original(*args, **kwargs)

        return whole

    return wrap


def async_around(endpoint: Endpoint) -> Callable[..., Any]:
    """The same of aio."""

    def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
        async def whole(*args: Any, **kwargs: Any) -> Any:
            with begin_call(patched, endpoint) or UNOBSERVED:
                return await original(*args, **kwargs)

        return whole

    return wrap


def polled(endpoint: Endpoint, facts: Any, pending: Callable[[Any], bool]) -> Run:
    """A method that such a function calls, of which the first message asks.

    pending: whether a result is none yet.
    """

    def run(original: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _part(endpoint, sent, facts)
        if watch is None:
            return original(sent, *args, **kwargs)
        try:
            result = original(sent, *args, **kwargs)
        except BaseException as error:
            watch.end(error)  # here, where a span of the client's own is recording
            raise
        _came(watch, result, pending)
        return result

    return run


def async_polled(endpoint: Endpoint, facts: Any, pending: Callable[[Any], bool]) -> Run:
    """The same of aio."""

    async def run(original: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        watch = _part(endpoint, sent, facts)
        if watch is None:
            return await original(sent, *args, **kwargs)
        try:
            result = await original(sent, *args, **kwargs)
        except BaseException as error:
            watch.end(error)
            raise
        _came(watch, result, pending)
        return result

    return run


@guard
def _part(endpoint: Endpoint, sent: Any, facts: Any) -> ClientCall | None:
    watch = ACTIVE_CALL.get()
    if watch is None or watch.endpoint is not endpoint:
        return None
    if not watch.has_sent:
        watch.attempt_started(sent, facts)
    return watch


@guard
def _came(watch: ClientCall, result: Any, pending: Callable[[Any], bool]) -> None:
    if not pending(result):
        watch.response_received(result)
        watch.end()


class Kind(NamedTuple):
    """The methods of one kind of stub."""

    unary: Callable[[PatchedLibrary, Endpoint, Any], Run]
    stream: Callable[[PatchedLibrary, Endpoint, Any], Run]
    around: Callable[[Endpoint], Callable[..., Any]]
    polled: Callable[[Endpoint, Any, Callable[[Any], bool]], Run]

    def stubbed(self, methods: Callable[[Kind, Any, PatchedLibrary], Mapping[str, Run]]) -> Callable[..., Any]:
        """What replaces `__init__` of a class that keeps the stub it is given as `_stub`."""

        def wrap(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
            def __init__(holder: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
                original(holder, *args, **kwargs)
                if patched.active:
                    _observe(holder, lambda: methods(self, holder, patched))

            return __init__

        return wrap


SYNC = Kind(unary, stream, around, polled)
AIO = Kind(async_unary, async_stream, async_around, async_polled)


def failure(error: BaseException) -> str | None:
    """The status of a call that gRPC ended: its exceptions have one class for all."""
    code = getattr(error, "code", None)
    return (
        as_text(getattr(code(), "name", None)) if type(error).__module__.startswith("grpc") and callable(code) else None
    )


def server(target: str) -> Attributes:
    """The attributes of a channel's target, `host` or `host:port`."""
    parts = urlsplit(f"//{target}")
    return {A.SERVER_ADDRESS: parts.hostname or target, A.SERVER_PORT: parts.port or 443}
