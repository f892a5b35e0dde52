"""Clients, results and streams live no longer than without us: a program that fails without us fails with us."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from wire_answers import WAYS, Conversation, Way, converse

from otel_agentops.testing.contract import await_result, iterate_items

Observations = dict[str, object]


def is_alive(reference: weakref.ref[Any] | None) -> bool | None:
    """Return True if an object is alive when all garbage is collected; None if it can have no weak references."""
    gc.collect()
    return None if reference is None else reference() is not None


def refer(target: object) -> weakref.ref[Any] | None:
    try:
        return weakref.ref(target)
    except TypeError:
        return None


async def watch_lives(conversation: Conversation, kind: str) -> Observations:
    """Return what is alive at each point of a call by a client that the application does not keep."""
    seen: Observations = {}
    client = conversation.subject.client(kind, conversation.provider)
    client_reference = refer(client)
    result: Any = await await_result(conversation.way.ask(conversation.subject, client))
    del client
    seen["client of a result"] = is_alive(client_reference)
    if conversation.way.is_stream:
        items = 0
        try:
            async for _ in iterate_items(result):
                items += 1
        except Exception as error:  # noqa: BLE001  each client has an exception of its own
            seen["error"] = type(error)
        seen["items"] = items
        seen["client of a read stream"] = is_alive(client_reference)
    result_reference = refer(result)
    del result
    seen["dropped result at once"] = None if result_reference is None else result_reference() is not None
    seen["dropped result"] = is_alive(result_reference)
    seen["client of a dropped result"] = is_alive(client_reference)
    return seen


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_objects_live_as_long_as_without_us(way: Way, kind: str) -> None:
    with converse(way) as conversation:
        if kind not in conversation.subject.kinds:
            pytest.skip(f"{way.client} has no {kind} client here")
        conversation.ask()  # what the client makes once is made
        gc.collect()
        gc.freeze()  # what is there by now takes long to search, and is none of these objects
        try:
            with_us = asyncio.run(watch_lives(conversation, kind))
            conversation.subject.instrumentor().uninstrument()
            without_us = asyncio.run(watch_lives(conversation, kind))
        finally:
            gc.unfreeze()
    assert with_us == without_us
