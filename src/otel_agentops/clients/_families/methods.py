"""Clients patched at the methods that make calls: a method returns the answer, or an iterator over its pieces.

Hooks inside the call record its attempts: they find it by `active_call(MethodCall)`.
"""

from __future__ import annotations

from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops._endpoint import Endpoint
from otel_agentops._patching import Method, PatchedLibrary, Wrap
from otel_agentops._streams import ObservedAsyncStream, ObservedStream, observe_lazy_async_stream, observe_lazy_stream
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call


class MethodCall:
    """The context of a call.

    Attributes:
        content: The exact bytes of the request that is on its way, which a transport may send once more; None if no
            sink wants them.
    """

    __slots__ = ("content",)

    def __init__(self) -> None:
        self.content: bytes | None = None


def wrap_method(endpoint: Endpoint, *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a method that returns the answer."""

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall[MethodCall] | None:
        return begin_call(library, endpoint, MethodCall())

    return wrap_call(Around(begin, _receive_result), is_async=is_async)


def wrap_generator(endpoint: Endpoint, *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a generator function, which makes its call with its first item."""

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def begin() -> ClientCall[MethodCall] | None:
            return begin_call(library, endpoint, MethodCall())

        def method(*args: object, **kwargs: object) -> ObservedStream | ObservedAsyncStream:
            observe = observe_lazy_async_stream if is_async else observe_lazy_stream
            return observe(original(*args, **kwargs), begin)

        return method

    return wrap


def _receive_result(call: ClientCall[MethodCall], result: object, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)
