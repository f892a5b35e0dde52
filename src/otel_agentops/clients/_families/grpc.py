"""Clients over gRPC: the methods of a stub, unary, streamed and polled, sync and aio.

A stub has its methods as attributes of the instance, so a copy of the stub is observed and the original stays as it
is. A method is called with the final message; how often gRPC's core then sends it is told to nobody:
https://github.com/grpc/proposal/blob/master/A6-client-retries.md
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._endpoint import Endpoint
from otel_agentops._guard import guard
from otel_agentops._patching import Method, PatchedLibrary, Wrap
from otel_agentops._streams import observe_async_stream, observe_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.clients._protocols.fields import as_text
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

Begin = Callable[[PatchedLibrary, Arguments, Keywords], "ClientCall[GrpcCall] | None"]


class GrpcCall(NamedTuple):
    """The context of a call.

    Attributes:
        is_polled: True if several messages make up the call, of which the first is the request.
    """

    is_polled: bool = False


class StubHolder(Protocol):
    """An object that calls the methods of a stub."""

    _stub: Any


class StubMethod:
    """A method of a stub that is observed; all but the call is the original's."""

    __slots__ = ("_facts", "_original", "_run")

    def __init__(self, original: Any, run: Method, facts: object) -> None:
        self._original = original
        self._run = run
        self._facts = facts

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self._run(self, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in StubMethod.__slots__:  # of one that is being copied
            raise AttributeError(name)
        return getattr(self._original, name)


def _call_original(method: StubMethod, *args: object, **kwargs: object) -> object:
    return method._original(*args, **kwargs)


def wrap_holder(methods: Mapping[str, Wrap], read_facts: Callable[[Any], object]) -> Wrap:
    """Return the wrapper of `__init__` of a class that keeps the stub that it is given as `_stub`.

    Args:
        methods: The methods of the stub that are observed; they get the `StubMethod` as first argument.
        read_facts: The object that holds the stub to the facts that its endpoints get.
    """

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        runs = {name: wrap_method(_call_original, library) for name, wrap_method in methods.items()}

        def __init__(holder: StubHolder, *args: object, **kwargs: object) -> None:  # noqa: N807
            original(holder, *args, **kwargs)
            if library.active:
                _observe_stub(holder, runs, read_facts)

        return __init__

    return wrap


@guard
def _observe_stub(holder: StubHolder, runs: Mapping[str, Method], read_facts: Callable[[Any], object]) -> None:
    stub = holder._stub
    if any(isinstance(method, StubMethod) for method in vars(stub).values()):
        return
    facts, observed = read_facts(holder), copy.copy(stub)
    for name, run in runs.items():
        if hasattr(stub, name):  # a stand-in has what its test calls
            setattr(observed, name, StubMethod(getattr(stub, name), run, facts))
    holder._stub = observed


# -- one message


def wrap_unary(endpoint: Endpoint, *, is_async: bool) -> Wrap:
    """Return the wrapper of a method that sends one message and returns one answer."""
    return wrap_call(Around(_make_begin(endpoint), _receive_answer, entered=_start_attempt), is_async=is_async)


def wrap_stream(endpoint: Endpoint, *, is_async: bool) -> Wrap:
    """Return the wrapper of a method that sends one message and returns many; that of aio is no coroutine either."""
    observe = _observe_async_items if is_async else _observe_items
    return wrap_call(Around(_make_begin(endpoint), observe, entered=_start_attempt))


def _make_begin(endpoint: Endpoint) -> Begin:
    return lambda library, args, kwargs: begin_call(library, endpoint, GrpcCall())


def _start_attempt(call: ClientCall[GrpcCall], args: Arguments, kwargs: Keywords) -> None:
    method, message = args[:2]
    call.attempt_started(message, method._facts)
    if call.wants_content:
        call.request_sent(message)


def _receive_answer(call: ClientCall[GrpcCall], result: object, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)


def _observe_items(call: ClientCall[GrpcCall], items: Iterable[object], args: Arguments, kwargs: Keywords) -> object:
    return observe_stream(iter(items), call)


def _observe_async_items(
    call: ClientCall[GrpcCall], items: AsyncIterable[object], args: Arguments, kwargs: Keywords
) -> object:
    return observe_async_stream(aiter(items), call)


# -- an answer that is asked for until it is there


def wrap_polling(endpoint: Endpoint, *, is_async: bool) -> Wrap:
    """Return the wrapper of a method of a holder that makes one call out of several messages."""
    around = Around(lambda library, args, kwargs: begin_call(library, endpoint, GrpcCall(is_polled=True)))
    return wrap_call(around, is_async=is_async)


def wrap_poll(is_pending: Callable[[Any], bool], *, is_async: bool) -> Wrap:
    """Return the wrapper of a method of a stub that such a method calls.

    is_pending: result to True if the answer is not there yet.
    """

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[GrpcCall] | None:
        call = active_call(GrpcCall)
        if call is None or not call.context.is_polled:
            return None
        if not call.has_sent:
            _start_attempt(call, args, kwargs)
        return call

    def receive(call: ClientCall[GrpcCall], result: object, args: Arguments, kwargs: Keywords) -> None:
        if not is_pending(result):
            call.response_received(result)
            call.end()

    return wrap_step(Around(begin, receive, _end_early), is_async=is_async)


def _end_early(call: ClientCall[GrpcCall], error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    call.end(error)  # here, while a span of the client's own is still recording


# -- what gRPC says


def read_error_type(error: BaseException) -> str | None:
    """Return the status of a call that gRPC ended: its exceptions have one class for all."""
    code = getattr(error, "code", None)
    if not callable(code) or not type(error).__module__.startswith("grpc"):
        return None
    return as_text(getattr(code(), "name", None))


def parse_target(target: str) -> Attributes:
    """Return the attributes of a channel's target, `host` or `host:port`."""
    parts = urlsplit(f"//{target}")
    return {A.SERVER_ADDRESS: parts.hostname or target, A.SERVER_PORT: parts.port or 443}
