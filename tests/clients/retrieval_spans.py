"""The whole span of a retrieval, and the store's answers about its indexes, for the tests of all stores."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from otel_agentops.stores import _index_resolver
from otel_agentops.testing import Record

RETRIEVAL, INDEX = "otel_agentops.retrieval.", "otel_agentops.index."


def describe_retrieval(
    index: str,
    top_k: int | None,
    count: int | None,
    *,
    version: str | None = None,
    source: str | None = None,
    scores: tuple[Any, Any] | None = None,
    kind: str | None = None,
    parent: str | None = None,
    **more: Any,
) -> Record:
    """Return the span of a query.

    Args:
        index: The name asked for.
        top_k: How many documents were asked for; None if it is not known.
        count: How many were returned; None if the query failed.
        version: That of the build which answered; None if it is not known.
        source: How that is known; None for `observed`, or `unknown` without a version.
        scores: Best and worst; None for none.
        kind: Of the scores.
        parent: The name of the span above.
        **more: Further attributes, with `__` for a dot.
    """
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": index,
        "gen_ai.retrieval.top_k": top_k,
        INDEX + "name": index,
        INDEX + "version": version,
        INDEX + "source": source or ("observed" if version else "unknown"),
        RETRIEVAL + "document.count": count,
        RETRIEVAL + "score.kind": kind if scores else None,
        RETRIEVAL + "score.best": None if scores is None else pytest.approx(scores[0], abs=1e-4),
        RETRIEVAL + "score.worst": None if scores is None else pytest.approx(scores[1], abs=1e-4),
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return {
        "name": f"retrieval {index}",
        "kind": "CLIENT",
        "status": "ERROR" if "error__type" in more else "UNSET",
        "parent": parent,
        "attributes": {key: value for key, value in sorted(attributes.items()) if value is not None},
    }


async def settle() -> None:
    """Wait until the stores have answered what was asked about their indexes."""
    for _ in range(3):
        await asyncio.to_thread(_index_resolver.RESOLVER.wait)
        while _index_resolver.RESOLVER._tasks:  # some are of the loop that a library has for itself
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float = 100) -> None:
    """Let the answers about indexes be so much older."""
    now = _index_resolver.monotonic
    monkeypatch.setattr(_index_resolver, "monotonic", lambda: now() + seconds)


@contextmanager
def hold(owner: Any, name: str) -> Iterator[threading.Event]:
    """Let a method of a client hang inside the block; the event is set once it is called."""
    called, release = threading.Event(), threading.Event()
    original: Callable[..., Any] = getattr(owner, name)

    def hanging(*args: Any, **kwargs: Any) -> Any:
        called.set()
        assert release.wait(30)
        return original(*args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(owner, name, hanging)
    try:
        yield called
    finally:
        release.set()
        patch.undo()
