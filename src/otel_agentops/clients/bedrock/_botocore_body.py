"""An unread body of a response, which the application reads whole, in parts or never.

Nothing is read here, and the application keeps the object that the library made for it. The response that carries the
bytes inside that object is replaced by a proxy: urllib3's in a `StreamingBody`, aiohttp's or httpx's in those of
aiobotocore. So every method of reading is seen, also if others wrap the body in objects of their own; and dropping the
body drops the proxy.

https://github.com/boto/botocore/blob/develop/botocore/response.py (`StreamingBody`)
https://github.com/aio-libs/aiobotocore/blob/main/aiobotocore/response.py
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

import wrapt
from typing_extensions import Self

from otel_agentops._client_call import ClientCall
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary
from otel_agentops._wrapping import Arguments, Around, Keywords


class InvokeResponse(NamedTuple):
    """The answer of a call whose result is a body.

    Attributes:
        headers: Of the response.
        body: Empty if it was not read to its end.
    """

    headers: Mapping[str, str]
    body: bytes = b""


class HeldCall:
    """A call whose answer the application reads later: dropping this object abandons the call.

    The call cannot tell by itself: a timer of the event loop that was set meanwhile keeps its context, and the call in
    it.
    """

    __slots__ = ("call",)

    def __init__(self, call: ClientCall) -> None:
        self.call = call

    def __del__(self) -> None:
        self.call.abandon()


class Reading(HeldCall):
    """The bytes that the application has read of a body.

    Attributes:
        is_inside_library: True while the library's own method reads; for each exception of the response it raises one
            of its own, and that is the application's.
    """

    __slots__ = ("_byte_count", "_headers", "_parts", "_size", "is_inside_library")

    def __init__(self, call: ClientCall, headers: Mapping[str, str]) -> None:
        super().__init__(call)
        self.is_inside_library = False
        self._headers = headers
        length = headers.get("content-length")
        self._size = int(length) if length else None  # None if the server does not say
        self._byte_count = 0
        self._parts: list[bytes] = []

    @guard
    def record_read(self, data: bytes | memoryview, limit: int | None) -> None:
        """Record one read.

        Args:
            data: The bytes that came.
            limit: How many the application wanted at most; None or a negative number for all.
        """
        if data:
            self._parts.append(bytes(data))
            self._byte_count += len(data)
        if limit is None or limit < 0 or self._byte_count == self._size or (not data and limit > 0):
            self.finish_reading()

    @guard
    def finish_reading(self) -> None:
        """End the call with the answer; if bytes are missing, the library is about to raise."""
        if self.call.is_open and self._size in (None, self._byte_count):
            body = b"".join(self._parts)
            if self.call.hooks.wire_received:
                self.call.wire_received(None, body)
            self.call.response_received(InvokeResponse(self._headers, body))
            self.call.end()
        self._parts.clear()

    def __enter__(self) -> Self:
        """Enter the block in which the response gives bytes, or raises."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and not self.is_inside_library and type(error) is not GeneratorExit:
            self.call.end(error)


def observe_body(body: Any, call: ClientCall, headers: Mapping[str, str]) -> None:
    """Record what the application reads of a body of either library."""
    reading = Reading(call, headers)
    if (raw := getattr(body, "__wrapped__", None)) is not None:  # before 3, aiobotocore's is a proxy itself
        body.__wrapped__ = _AiohttpResponse(raw, reading)
        return
    raw = body._raw_stream
    if hasattr(raw, "aiter_raw"):  # first: if it is not read, httpx's `content` raises no AttributeError
        body._raw_stream = _HttpxResponse(raw, reading)
    else:
        body._raw_stream = (_AiohttpResponse if hasattr(raw, "content") else _Urllib3Response)(raw, reading)


_Proxy: Any = wrapt.ObjectProxy  # for the type checker generic since wrapt 2, and not at run time


class _ObservedProxy(_Proxy):  # type: ignore[misc]
    """A response, or its content, with what the application has read of it."""

    def __init__(self, wrapped: object, reading: Reading) -> None:
        super().__init__(wrapped)
        self._self_reading = reading


class _Urllib3Response(_ObservedProxy):
    """The response of urllib3, as botocore and the application read it."""

    def read(self, amt: int | None = None, *args: object, **kwargs: object) -> bytes:
        reading = self._self_reading
        with reading:
            data: bytes = self.__wrapped__.read(amt, *args, **kwargs)
        reading.record_read(data, amt)
        return data

    def readinto(self, buffer: memoryview) -> int:
        reading = self._self_reading
        with reading:
            count: int = self.__wrapped__.readinto(buffer)
        reading.record_read(buffer[:count], len(buffer))
        return count

    def readlines(self, *args: object) -> list[bytes]:
        reading = self._self_reading
        with reading:
            lines: list[bytes] = self.__wrapped__.readlines(*args)
        reading.record_read(b"".join(lines), None)
        return lines

    def stream(self, *args: object, **kwargs: object) -> Iterator[bytes]:
        return self._iterate_parts(self.__wrapped__.stream(*args, **kwargs))

    def __iter__(self) -> Iterator[bytes]:
        return self._iterate_parts(iter(self.__wrapped__))

    def _iterate_parts(self, source: Iterator[bytes]) -> Iterator[bytes]:
        reading = self._self_reading
        with reading:
            for data in source:
                reading.record_read(data, 1)
                yield data
        reading.finish_reading()

    def close(self) -> object:
        self._self_reading.call.end()
        return self.__wrapped__.close()


class _AiohttpContent(_ObservedProxy):
    """The content of aiohttp's response."""

    async def read(self, n: int = -1) -> bytes:
        reading = self._self_reading
        with reading:
            data: bytes = await self.__wrapped__.read(n)
        reading.record_read(data, n)
        return data


class _AiohttpResponse(_ObservedProxy):
    """The response of aiohttp."""

    @property
    def content(self) -> _AiohttpContent:
        return _AiohttpContent(self.__wrapped__.content, self._self_reading)

    async def read(self) -> bytes:
        reading = self._self_reading
        with reading:
            data: bytes = await self.__wrapped__.read()
        reading.record_read(data, None)
        return data

    async def __aenter__(self) -> Self:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> object:
        self._self_reading.call.end()
        return await self.__wrapped__.__aexit__(*raised)

    def close(self) -> object:
        self._self_reading.call.end()
        return self.__wrapped__.close()


class _HttpxResponse(_ObservedProxy):
    """The response of httpx, which aiobotocore reads to a buffer of its own."""

    async def aiter_raw(self, *args: object, **kwargs: object) -> AsyncIterator[bytes]:
        reading = self._self_reading
        with reading:
            async for data in self.__wrapped__.aiter_raw(*args, **kwargs):
                reading.record_read(data, 1)
                yield data
        reading.finish_reading()

    async def aclose(self) -> None:
        self._self_reading.call.end()
        await self.__wrapped__.aclose()


# -- the library's own methods that read


def _find_reading(body: Any) -> Reading | None:
    """Return the reading of a body; None for those of all other calls, whatever the service."""
    raw = getattr(body, "__wrapped__", None) or getattr(body, "_raw_stream", None)
    return raw._self_reading if isinstance(raw, _ObservedProxy) else None


def _enter_library(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Reading | None:
    reading = _find_reading(args[0])
    if reading is not None:
        reading.is_inside_library = True
    return reading


def _leave_library(reading: Reading, result: object, args: Arguments, kwargs: Keywords) -> None:
    reading.is_inside_library = False


def _fail_in_library(reading: Reading, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    reading.call.end(error)
    reading.is_inside_library = False


READ = Around(_enter_library, _leave_library, _fail_in_library)
