"""Added time of a query of a store: ours, OpenLLMetry's, and ours while the store does not tell its metadata.

    python -m bench.retrievals [bytecodes]

Run it where chromadb, qdrant-client and OpenLLMetry's packages for both are installed. What the stores do below the
patched method is replaced by a ready answer, so that the time that is left is the client's and the instrumentation's.
Variants take turns in one process, and the least CPU time of all rounds is shown: the machine is not ours alone. The
bytecodes of the calling thread are the same on any machine.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from bench import bytecodes

ROUNDS, CALLS = 15, 300
VECTOR = [0.1] * 256


def make_chroma(hangs: bool) -> Callable[[], object]:
    import chromadb

    client = chromadb.EphemeralClient()
    docs = client.get_or_create_collection("docs", embedding_function=None)
    if docs.count() == 0:
        docs.add(ids=["a", "b"], embeddings=[VECTOR, VECTOR])
    answer = docs._client._query(docs.id, [VECTOR], None, 2, None, None, ["distances"], docs.tenant, docs.database)
    api = _Instead(docs._client, _query=lambda *_, **__: answer, **({"get_collection": wait} if hangs else {}))
    docs._client = api
    return lambda: docs.query(query_embeddings=[VECTOR], n_results=2, include=["distances"])


def make_qdrant(hangs: bool) -> Callable[[], object]:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    client.create_collection("docs", vectors_config=models.VectorParams(size=256, distance=models.Distance.COSINE))
    client.upsert("docs", [models.PointStruct(id=number, vector=VECTOR) for number in range(2)])
    answer = client.query_points("docs", query=VECTOR, limit=2)
    client._client = _Instead(client._client, query_points=lambda *_, **__: answer)
    if hangs:
        client.get_aliases = wait  # type: ignore[method-assign]
    return lambda: client.query_points("docs", query=VECTOR, limit=2)


class _Instead:
    """An object with a few methods of ours, and the rest of another."""

    def __init__(self, inner: Any, **methods: Any) -> None:
        self.__dict__.update(methods)
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


never = threading.Event()


def wait(*_: object, **__: object) -> None:
    never.wait()


OURS = {"chromadb": "chromadb", "qdrant": "qdrant_client"}
THEIRS = {"chromadb": "ChromaInstrumentor", "qdrant": "QdrantInstrumentor"}
MAKERS = {"chromadb": make_chroma, "qdrant": make_qdrant}


def make_instrumentor(name: str, variant: str) -> Any:
    if variant == "none":
        return None
    if variant == "OpenLLMetry":
        return getattr(importlib.import_module(f"opentelemetry.instrumentation.{name}"), THEIRS[name])()
    return importlib.import_module(f"otel_agentops.stores.{OURS[name]}").Instrumentor()


def warm_up(call: Callable[[], object]) -> None:
    call()
    time.sleep(0.05)  # the first question about the index is answered, or hangs
    call()


def time_calls(call: Callable[[], object]) -> float:
    """Return microseconds of CPU time of this thread per call."""
    warm_up(call)
    gc.collect()
    started = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - started) / CALLS * 1e6


def count_bytecodes(call: Callable[[], object]) -> float:
    """Return the bytecodes of this thread per call."""
    warm_up(call)
    return sum(bytecodes.count_bytecodes(lambda _: call()).values()) / bytecodes.CALLS


def main(of_bytecodes: bool) -> None:
    measure, rounds = (count_bytecodes, 1) if of_bytecodes else (time_calls, ROUNDS)
    trace.set_tracer_provider(provider := TracerProvider())
    unit = "bytecodes" if of_bytecodes else "us per query"
    print(f"{unit:12}{'alone':>10}{'+ ours':>10}{'+ ours, hanging':>18}{'+ OpenLLMetry':>16}")
    for name, make in MAKERS.items():
        best: dict[str, float] = {}
        for number in range(rounds):
            for variant in ("none", "ours", "OpenLLMetry", "ours, hanging"):
                if variant == "ours, hanging" and number < rounds - 5:
                    continue  # a question that hangs is the last one that the process asks
                instrumentor = make_instrumentor(name, variant)
                if instrumentor is not None:
                    instrumentor.instrument(tracer_provider=provider)
                best[variant] = min(best.get(variant, 1e9), measure(make(variant == "ours, hanging")))
                if instrumentor is not None:
                    instrumentor.uninstrument()
        added = [best[variant] - best["none"] for variant in ("ours", "ours, hanging", "OpenLLMetry")]
        print(f"{name:12}{best['none']:10.1f}{added[0]:10.1f}{added[1]:18.1f}{added[2]:16.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] == ["bytecodes"])
