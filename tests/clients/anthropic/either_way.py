"""One test for both clients: what the async client awaits, the sync client has already."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


async def done(result: Any) -> Any:
    """A result, awaited where it has to be."""
    return await result if inspect.isawaitable(result) else result


async def each(stream: Any) -> AsyncIterator[Any]:
    """The chunks of a stream, one by one."""
    if hasattr(stream, "__aiter__"):
        async for chunk in stream:
            yield chunk
    else:
        for chunk in stream:
            yield chunk


async def every(stream: Any) -> list[Any]:
    """The chunks of a stream, all of them."""
    return [chunk async for chunk in each(stream)]


@asynccontextmanager
async def inside(manager: Any) -> AsyncIterator[Any]:
    """The block of a context manager."""
    if hasattr(manager, "__aenter__"):
        async with manager as entered:
            yield entered
    else:
        with manager as entered:
            yield entered
