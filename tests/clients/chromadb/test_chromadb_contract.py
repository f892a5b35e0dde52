"""One `query` of a collection is one retrieval: the index that answered, how much was asked for and found."""

from __future__ import annotations

import json
import uuid
from typing import Any

import chromadb
import pytest
from both import done
from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.errors import ChromaError, NotFoundError
from chromadb.utils.embedding_functions import register_embedding_function
from opentelemetry.instrumentation.utils import suppress_instrumentation

import otel_agentops
from otel_agentops.stores.chromadb import Instrumentor
from otel_agentops.testing import Capture, Record, capture

VECTORS = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0]}
DECLARED = {"version": "2026-05-01", "built_at": "2026-05-01T04:00:00Z", "embedding_model": "embed-x"}


@register_embedding_function
class LengthFunction(EmbeddingFunction[Documents]):
    """Embeds a text as its length, and has a name for that."""

    def __init__(self, model_name: str = "length-1") -> None:
        self.model_name = model_name

    def __call__(self, input: Documents) -> Embeddings:
        return [[float(len(text)), 1.0] for text in input]  # type: ignore[misc]

    @staticmethod
    def name() -> str:
        return "length"

    def get_config(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> LengthFunction:
        return LengthFunction(config["model_name"])


async def make_collection(client: Any, metadata: dict[str, str] | None = None) -> Any:
    """Return a filled collection of a new name: the clients of one process share the engine."""
    name = f"articles-{uuid.uuid4().hex[:8]}"
    collection = await done(client.create_collection(name, metadata=metadata, embedding_function=None))
    await done(collection.add(ids=list(VECTORS), embeddings=list(VECTORS.values())))
    return collection


def describe_span(collection: Any, top_k: int, count: int | None, **more: Any) -> Record:
    attributes = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": collection.name,
        "gen_ai.retrieval.top_k": top_k,
        "otel_agentops.index.name": collection.name,
        "otel_agentops.index.source": "observed",
        "otel_agentops.index.version": str(collection.id),
        **({} if count is None else {"otel_agentops.retrieval.document.count": count}),
        **more,
    }
    return {
        "name": f"retrieval {collection.name}",
        "kind": "CLIENT",
        "status": "ERROR" if "error.type" in more else "UNSET",
        "parent": None,
        "attributes": dict(sorted(attributes.items())),
    }


async def test_query_is_one_span_with_the_id_as_version(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    result = await done(collection.query(query_embeddings=[[1.0, 0.1]], n_results=2))
    assert result["ids"] == [["a", "c"]]
    assert seen.spans == [describe_span(collection, 2, 2)]
    assert seen.metrics == {}, "an index of the application is no provider"


async def test_declared_version_goes_before_the_id(seen: Capture, client: Any) -> None:
    collection = await make_collection(client, DECLARED)
    await done(collection.query(query_embeddings=[[1.0, 0.1]], n_results=1))
    facts = {
        "otel_agentops.index.version": "2026-05-01",
        "otel_agentops.index.source": "declared",
        "otel_agentops.index.built_at": "2026-05-01T04:00:00Z",
        "otel_agentops.index.embedding_model": "embed-x",
    }
    assert seen.spans == [describe_span(collection, 1, 1, **facts)]


async def test_batch_is_one_retrieval(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0], [0.0, 1.0]]))
    assert seen.spans == [describe_span(collection, 10, 6)]


async def test_number_of_results_may_be_given_by_position(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0]], None, None, None, None, 1))
    assert seen.spans == [describe_span(collection, 1, 1)]


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0]], where={"lang": "none"}))
    assert seen.spans == [describe_span(collection, 10, 0)]


async def test_exception_is_the_one_of_the_library(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    with pytest.raises(ChromaError) as raised:
        await done(collection.query([[1.0, 0.0, 0.0]]))
    kind = type(raised.value)
    assert seen.spans == [
        describe_span(collection, 10, None, **{"error.type": f"{kind.__module__}.{kind.__qualname__}"})
    ]


async def test_index_that_is_built_anew_has_another_version(seen: Capture, client: Any) -> None:
    old = await make_collection(client)
    await done(client.delete_collection(old.name))
    new = await done(client.create_collection(old.name, embedding_function=None))
    await done(new.add(ids=["d"], embeddings=[[1.0, 0.0]]))
    await done(new.query([[1.0, 0.0]]))
    with pytest.raises(NotFoundError):
        await done(old.query([[1.0, 0.0]]))
    assert new.id != old.id
    assert seen.spans == [
        describe_span(new, 10, 1),
        describe_span(old, 10, None, **{"error.type": "chromadb.errors.NotFoundError"}),
    ]


async def test_handle_opened_before_a_swap_names_the_old_index(seen: Capture, client: Any) -> None:
    old, new = await make_collection(client), await make_collection(client)
    stale, name = await done(client.get_collection(old.name, embedding_function=None)), old.name
    await done(old.modify(name=f"{name}-old"))
    await done(new.modify(name=name))
    fresh = await done(client.get_collection(name, embedding_function=None))
    await done(stale.query([[1.0, 0.0]], n_results=1))
    await done(fresh.query([[1.0, 0.0]], n_results=1))
    versions = [span["attributes"]["otel_agentops.index.version"] for span in seen.spans]
    assert versions == [str(old.id), str(new.id)]


async def test_task_compares_documents_and_remembers_the_index(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    with otel_agentops.task("answer") as task:
        await done(collection.query([[1.0, 0.0], [1.0, 0.1]], n_results=1))
        task.used(["a", "invented"])
    span, root = seen.spans
    assert span["parent"] == root["name"]
    assert root["attributes"]["otel_agentops.task.documents_used"] == 2
    assert root["attributes"]["otel_agentops.task.documents_unfounded"] == 1


def test_embedding_model_is_that_of_the_kept_function(seen: Capture) -> None:
    collection = chromadb.EphemeralClient().create_collection(
        f"texts-{uuid.uuid4().hex[:8]}", embedding_function=LengthFunction("length-2")
    )
    collection.add(ids=["a", "b"], documents=["x", "xxx"])
    result = collection.query(query_texts="xx", n_results=1)
    assert len(result["ids"]) == 1
    assert seen.spans == [describe_span(collection, 1, 1, **{"otel_agentops.index.embedding_model": "length-2"})]


async def test_suppressed_and_uninstrumented_queries_pass(seen: Capture, instrumentor: Instrumentor) -> None:
    collection = await make_collection(chromadb.EphemeralClient())
    with suppress_instrumentation():
        collection.query([[1.0, 0.0]])
    instrumentor.uninstrument()
    assert collection.query([[1.0, 0.0]], n_results=1)["ids"] == [["a"]]
    assert seen.spans == []


async def test_content_has_query_and_documents(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    name = f"articles-{uuid.uuid4().hex[:8]}"
    collection = await done(client.create_collection(name, embedding_function=LengthFunction()))
    await done(collection.add(ids=["a", "b"], documents=["A parcel takes a day.", "Refunds"]))
    with capture(Instrumentor()) as seen:
        await done(collection.query(query_texts=["where is my parcel", "money"], n_results=1))
        (span,) = seen.spans
    assert span["attributes"]["gen_ai.retrieval.query.text"] == "where is my parcel\nmoney"
    documents = json.loads(span["attributes"]["gen_ai.retrieval.documents"])
    assert [(each["id"], each["content"]) for each in documents] == [
        ("a", "A parcel takes a day."),
        ("b", "Refunds"),
    ]
    assert all(each["distance"] >= 0 for each in documents)
