"""Beside OpenLLMetry and OpenInference: what the coexistence matrix has no call for, and version 1 of the API.

OpenLLMetry says that it supports cohere below 6; where its wrappers fit a later one its span is enriched, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import cohere
import pytest
from both import done, drained
from cohere_spans import CALL, RANK

from otel_agentops.clients.cohere import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

OLD = {"model": "command-x", "message": "hi"}
EMBED = {"model": "embed-x", "texts": ["a town"], "input_type": "search_query"}
# Whether a call is one of v1, and how it is made.
CALLS: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "chat": (False, lambda co: co.chat(**CALL)),
    "stream": (False, lambda co: drained(co.chat_stream(**CALL))),
    "embed": (False, lambda co: co.embed(**EMBED, embedding_types=["float"])),
    "rerank": (False, lambda co: co.rerank(**RANK)),
    "old chat": (True, lambda co: co.chat(**OLD)),
    "old stream": (True, lambda co: drained(co.chat_stream(**OLD))),
    "old embed": (True, lambda co: co.embed(**EMBED)),
    "old rerank": (True, lambda co: co.rerank(**RANK)),
}
PEERS = {
    "opentelemetry.instrumentation.cohere": tuple(CALLS),
    "openinference.instrumentation.cohere": ("rerank",),  # it knows v2 alone; the rest is in the matrix
}


@contextmanager
def theirs(peer: str, seen: Capture) -> Iterator[None]:
    patched = (cohere.Client, cohere.AsyncClient, cohere.ClientV2, cohere.AsyncClientV2)
    own = [set(vars(each)) for each in patched]
    instrumentor = import_module(peer).CohereInstrumentor()
    instrumentor.instrument(tracer_provider=seen.tracer_provider, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        for each, names in zip(patched, own, strict=True):
            for name in set(vars(each)) - names:
                delattr(each, name)  # OpenLLMetry leaves inherited methods behind, which hide what others patch


@pytest.mark.parametrize(("peer", "call"), [(peer, call) for peer, calls in PEERS.items() for call in calls])
@pytest.mark.parametrize("order", ["ours", "theirs"])
async def test_call_beside_another_instrumentation_is_one_span(
    provider: FakeProvider, make: Any, peer: str, call: str, order: str
) -> None:
    pytest.importorskip(peer)
    is_old, ask = CALLS[call]
    ours = Instrumentor()
    with capture(ours) as seen, theirs(peer, seen):
        if order == "theirs":
            ours.uninstrument()
            ours.instrument(**seen.providers, skip_dep_check=True)
        await done(ask(make(old=is_old)))  # a client keeps the methods that it was made with
        (only,) = seen.finished_spans
    assert only.instrumentation_scope is not None
    assert only.instrumentation_scope.name == peer
    attributes = only.attributes or {}
    assert attributes["otel_agentops.attempt.statuses"] == (200,)
    assert attributes["otel_agentops.model.resolution"] == "unreported"
