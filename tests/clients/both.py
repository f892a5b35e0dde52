"""One test for the sync and the async client: whatever a client hands out is awaited, iterated and entered alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from otel_agentops.testing.contract import await_result as done
from otel_agentops.testing.contract import iterate_items as each
from otel_agentops.testing.subject import KINDS

__all__ = ["END", "KINDS", "block", "done", "drained", "each", "following"]

END = object()


async def drained(items: Any) -> list[Any]:
    """All items of an iterator of either kind."""
    return [item async for item in each(items)]


async def following(items: Any) -> Any:
    """The next item of an iterator of either kind; END where there is none."""
    return await anext(items, END) if hasattr(items, "__anext__") else next(items, END)


@asynccontextmanager
async def block(manager: Any) -> AsyncIterator[Any]:
    """A context manager of either kind, which sees the exceptions of its block."""
    kind = type(getattr(manager, "__wrapped__", manager))  # a proxy of another instrumentation claims to be both
    if hasattr(kind, "__aenter__"):
        async with manager as inner:
            yield inner
    else:
        with manager as inner:
            yield inner
