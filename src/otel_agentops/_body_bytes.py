"""The bytes of a body that streams, seen while the client reads them from a response of httpx.

`iter_text`, `iter_lines` and `read` of httpx all read by `iter_bytes`, which decompresses:
https://github.com/encode/httpx/blob/0.28.1/httpx/_models.py#L884-L934
The methods of the one response are replaced, so nothing is read that the client does not read, and not sooner. The
iterators are objects and no generators, see `_streams`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from typing_extensions import Self

from otel_agentops._guard import guard

Tell = Callable[[bytes], object]


class _Body:
    """An iterator of a body, and who is told of each piece."""

    __slots__ = ("_source", "_tell")

    def __init__(self, read: Callable[..., Any], tell: Tell, *args: Any, **kwargs: Any) -> None:
        self._source = read(*args, **kwargs)
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _SyncBody(_Body, Iterator[bytes]):
    __slots__ = ()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        data: bytes = next(self._source)
        self._tell(data)
        return data


class _AsyncBody(_Body, AsyncIterator[bytes]):
    __slots__ = ()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data: bytes = await anext(self._source)
        self._tell(data)
        return data


@guard
def follow_body(response: Any, tell: Tell) -> None:
    """Tell of the bytes of a response of httpx as they are read; `tell` may not raise."""
    for name, kind in (("iter_bytes", _SyncBody), ("aiter_bytes", _AsyncBody)):
        if (read := getattr(response, name, None)) is not None:
            setattr(response, name, partial(kind, read, tell))
