"""A body that the application reads by itself: whole, in parts or never, with the object that the library made for it.

Nothing is read here. The response that carries the bytes inside that object is replaced by a proxy: urllib3's in a
`StreamingBody`, aiohttp's or httpx's in those of aiobotocore. So it does not matter with which method the application
reads, or that others wrap the response in objects of their own; and what drops the body drops the proxy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import wrapt

from otel_agentops._client_call import ClientCall
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary

_Proxy: Any = wrapt.ObjectProxy  # generic for the type checker since wrapt 2, and not at run time


class Invoked:
    """The answer of a call whose result is a body. body: empty where it was not read to its end."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: Mapping[str, Any], body: bytes = b"") -> None:
        self.headers = headers
        self.body = body


class Held:
    """What the application holds of a call whose answer it reads later; who drops it has dropped the call.

    The watch itself cannot tell: a timer of the event loop that was set meanwhile keeps its context, and the watch in
    it.
    """

    __slots__ = ("watch",)

    def __init__(self, watch: ClientCall) -> None:
        self.watch = watch

    def __del__(self) -> None:
        self.watch.abandon()


class Reading(Held):
    """What was read of a body so far. size: of the whole, None where the server does not say."""

    __slots__ = ("came", "headers", "inside", "parts", "size")

    def __init__(self, watch: ClientCall, headers: Mapping[str, Any], size: int | None) -> None:
        super().__init__(watch)
        self.headers = headers
        self.size = size
        self.came = 0
        self.parts: list[bytes] = []
        self.inside = False  # the library's own method is reading, which has an exception of its own for each of ours

    @guard
    def took(self, data: bytes, asked: int | None) -> None:
        """The application has these bytes. asked: how many it wanted, None for all."""
        if data:
            self.parts.append(bytes(data))
            self.came += len(data)
        if asked is None or asked < 0 or self.came == self.size or (not data and asked > 0):
            self.finished()  # where bytes are missing, the library is about to say so

    @guard
    def finished(self) -> None:
        """There is no more."""
        if self.watch.is_open and self.size in (None, self.came):
            self.watch.response_received(Invoked(self.headers, b"".join(self.parts)))
            self.watch.end()
        self.parts.clear()

    def __enter__(self) -> Reading:
        """The block in which what carries the bytes gives some, or raises."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and not self.inside and type(error) is not GeneratorExit:
            self.watch.end(error)


def observe(body: Any, watch: ClientCall, headers: Mapping[str, Any]) -> None:
    """Follow what is read of a body of either library."""
    length = headers.get("content-length")
    reading = Reading(watch, headers, int(length) if length else None)
    if (raw := getattr(body, "__wrapped__", None)) is not None:  # aiobotocore's of before 3 is a proxy itself
        body.__wrapped__ = _Response(raw, reading)
        return
    raw = body._raw_stream
    # httpx's content raises something else than AttributeError where it is not read.
    kind = _Httpx if hasattr(raw, "aiter_raw") else _Response if hasattr(raw, "content") else _Raw
    body._raw_stream = kind(raw, reading)


def _async_reading(body: Any) -> Reading | None:
    raw = getattr(body, "__wrapped__", None) or body._raw_stream
    return raw._self_reading if type(raw) in (_Response, _Httpx) else None


class _Observed(_Proxy):  # type: ignore[misc]
    """A response, or a part of one, and what the application has read of it."""

    def __init__(self, wrapped: Any, reading: Reading) -> None:
        super().__init__(wrapped)
        self._self_reading = reading


class _Raw(_Observed):
    """urllib3's response, as botocore and the application read it."""

    def read(self, amt: int | None = None, *args: Any, **kwargs: Any) -> Any:
        reading = self._self_reading
        with reading:
            data = self.__wrapped__.read(amt, *args, **kwargs)
        reading.took(data, amt)
        return data

    def readinto(self, buffer: Any) -> Any:
        reading = self._self_reading
        with reading:
            count = self.__wrapped__.readinto(buffer)
        reading.took(bytes(buffer[:count]), len(buffer))
        return count

    def readlines(self, *args: Any) -> Any:
        reading = self._self_reading
        with reading:
            lines = self.__wrapped__.readlines(*args)
        reading.took(b"".join(lines), None)
        return lines

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._each(self.__wrapped__.stream(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return self._each(iter(self.__wrapped__))

    def _each(self, source: Iterator[Any]) -> Iterator[Any]:
        reading = self._self_reading
        with reading:
            for data in source:
                reading.took(data, 1)
                yield data
        reading.finished()

    def close(self) -> Any:
        self._self_reading.watch.end()
        return self.__wrapped__.close()


class _Content(_Observed):
    """The content of aiohttp's response."""

    async def read(self, n: int = -1) -> Any:
        reading = self._self_reading
        with reading:
            data = await self.__wrapped__.read(n)
        reading.took(data, n)
        return data


class _Response(_Observed):
    """aiohttp's response."""

    @property
    def content(self) -> Any:
        return _Content(self.__wrapped__.content, self._self_reading)

    async def read(self) -> Any:
        reading = self._self_reading
        with reading:
            data = await self.__wrapped__.read()
        reading.took(data, None)
        return data

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> Any:
        self._self_reading.watch.end()
        return await self.__wrapped__.__aexit__(*raised)

    def close(self) -> Any:
        self._self_reading.watch.end()
        return self.__wrapped__.close()


class _Httpx(_Observed):
    """httpx's response, which aiobotocore reads to a buffer of its own."""

    async def aiter_raw(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        reading = self._self_reading
        with reading:
            async for data in self.__wrapped__.aiter_raw(*args, **kwargs):
                reading.took(data, 1)
                yield data
        reading.finished()

    async def aclose(self) -> None:
        self._self_reading.watch.end()
        await self.__wrapped__.aclose()


def reads(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The library's method that reads: the exception that leaves it is the application's."""

    def read(body: Any, *args: Any, **kwargs: Any) -> Any:
        raw = getattr(body, "_raw_stream", None)
        if type(raw) is not _Raw:
            return original(body, *args, **kwargs)  # every body of every service comes by
        reading = raw._self_reading
        reading.inside = True
        try:
            return original(body, *args, **kwargs)
        except BaseException as error:
            reading.watch.end(error)
            raise
        finally:
            reading.inside = False

    return read


def async_reads(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    """The same of aiobotocore."""

    async def read(body: Any, *args: Any, **kwargs: Any) -> Any:
        reading = _async_reading(body)
        if reading is None:
            return await original(body, *args, **kwargs)
        reading.inside = True
        try:
            return await original(body, *args, **kwargs)
        except BaseException as error:
            reading.watch.end(error)
            raise
        finally:
            reading.inside = False

    return read
