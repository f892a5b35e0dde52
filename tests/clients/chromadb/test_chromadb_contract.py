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
from retrieval_spans import describe_retrieval, hold, pass_time, settle

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


def describe_span(
    collection: Any, top_k: int, count: int | None, scores: tuple[float, float] | None = None, **more: Any
) -> Record:
    version = more.pop("version", str(collection.id))
    return describe_retrieval(collection.name, top_k, count, version=version, scores=scores, kind="distance", **more)


async def test_query_is_one_span_with_the_id_as_version(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    result = await done(collection.query(query_embeddings=[[1.0, 0.1]], n_results=2))
    assert result["ids"] == [["a", "c"]]
    assert seen.spans == [describe_span(collection, 2, 2, (0.01, 0.81))]
    assert seen.metrics == {}, "an index of the application is no provider"


async def test_declared_version_goes_before_the_id(seen: Capture, client: Any) -> None:
    collection = await make_collection(client, DECLARED)
    await done(collection.query(query_embeddings=[[1.0, 0.1]], n_results=1))
    facts = {
        "version": "2026-05-01",
        "source": "declared",
        "otel_agentops__index__built_at": "2026-05-01T04:00:00Z",
        "otel_agentops__index__embedding_model": "embed-x",
    }
    assert seen.spans == [describe_span(collection, 1, 1, (0.01, 0.01), **facts)]


async def test_batch_is_one_retrieval(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0], [0.0, 1.0]]))
    assert seen.spans == [describe_span(collection, 10, 6, (0, 2))]


async def test_number_of_results_may_be_given_by_position(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0]], None, None, None, None, 1))
    assert seen.spans == [describe_span(collection, 1, 1, (0, 0))]


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    await done(collection.query([[1.0, 0.0]], where={"lang": "none"}))
    assert seen.spans == [describe_span(collection, 10, 0)]


async def test_exception_is_the_one_of_the_library(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    with pytest.raises(ChromaError) as raised:
        await done(collection.query([[1.0, 0.0, 0.0]]))
    kind = type(raised.value)
    assert seen.spans == [describe_span(collection, 10, None, error__type=f"{kind.__module__}.{kind.__qualname__}")]


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
        describe_span(new, 10, 1, (0, 0)),
        describe_span(old, 10, None, error__type="chromadb.errors.NotFoundError"),
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
    models = {
        "otel_agentops__index__embedding_model": "length-2",
        "otel_agentops__retrieval__embedding_model": "length-2",
        "otel_agentops__retrieval__embedding_mismatch": False,
    }
    assert seen.spans == [describe_span(collection, 1, 1, (1, 1), **models)]


def test_query_by_another_model_than_the_index_is_told(seen: Capture, caplog: pytest.LogCaptureFixture) -> None:
    collection = chromadb.EphemeralClient().create_collection(
        f"texts-{uuid.uuid4().hex[:8]}",
        metadata={"embedding_model": "length-1"},
        embedding_function=LengthFunction("length-2"),
    )
    collection.add(ids=["a"], embeddings=[[1.0, 1.0]])
    collection.query(query_texts="xx", n_results=1)
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.retrieval.embedding_mismatch"] is True
    (message,) = [record.getMessage() for record in caplog.records if record.name == "otel_agentops"]
    assert message == (
        f"index {collection.name}: queries are embedded by length-2, documents by length-1; build the index anew, or"
        " query it with its own model"
    )


async def test_version_declared_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = await make_collection(client, {"version": "1"})
    handle = await done(client.get_collection(collection.name, embedding_function=None))
    await done(handle.query([[1.0, 0.0]], n_results=1))
    await settle()
    await done(collection._client._modify(collection.id, new_metadata={"version": "2"}))  # as another process does
    pass_time(monkeypatch)
    await done(handle.query([[1.0, 0.0]], n_results=1))
    await settle()
    await done(handle.query([[1.0, 0.0]], n_results=1))
    versions = [span["attributes"]["otel_agentops.index.version"] for span in seen.spans]
    assert versions == ["1", "1", "2"], "the handle itself still says 1"
    assert (handle.metadata["version"], list_changes(seen)) == ("1", [(collection.name, "1", "2")])


async def test_swap_of_names_in_this_process_is_told_at_once(seen: Capture, client: Any) -> None:
    old, new = await make_collection(client), await make_collection(client)
    name = old.name
    await done(old.query([[1.0, 0.0]], n_results=1))
    await settle()
    await done(old.modify(name=f"{name}-old"))
    await settle()
    await done(new.modify(name=name))
    await settle()
    await done(new.query([[1.0, 0.0]], n_results=1))
    assert seen.spans[-1] == describe_span(new, 1, 1, (0, 0))
    assert list_changes(seen) == [(name, str(old.id), str(new.id))]


def list_changes(seen: Capture) -> list[tuple[str, ...]]:
    keys = [f"otel_agentops.change.{name}" for name in ("scope", "previous", "value")]
    return [tuple(event["attributes"][key] for key in keys) for event in seen.events]


@pytest.mark.parametrize("client", ["embedded", "http"], indirect=True)
async def test_query_does_not_wait_for_metadata(seen: Capture, client: Any) -> None:
    collection = await make_collection(client)
    with hold(collection._client, "get_collection") as called:
        collection.query([[1.0, 0.0]], n_results=1)
        assert called.wait(10)
        collection.query([[1.0, 0.0]], n_results=1)
        assert seen.spans == [describe_span(collection, 1, 1, (0, 0))] * 2, "both are over, and the question is not"
    await settle()


async def test_retrieval_around_is_the_one_span(seen: Capture, client: Any) -> None:
    one, other = await make_collection(client, DECLARED), await make_collection(client)
    with otel_agentops.task("answer"), otel_agentops.retrieval("both", top_k=4, query_model="embed-y"):
        await done(one.query([[1.0, 0.1]], n_results=2))
        await done(other.query([[1.0, 0.1]], n_results=2))
    span, root = seen.spans
    assert span == describe_retrieval(
        "both", 4, 4, version="2026-05-01", source="declared", scores=(0.01, 0.81), kind="distance",
        parent=root["name"],
        otel_agentops__index__built_at="2026-05-01T04:00:00Z",
        otel_agentops__index__embedding_model="embed-x",
        otel_agentops__retrieval__embedding_model="embed-y",
        otel_agentops__retrieval__embedding_mismatch=True,
        otel_agentops__retrieval__indexes=[f"{one.name}@2026-05-01", f"{other.name}@{other.id}"],
        otel_agentops__task__id=root["attributes"]["otel_agentops.task.id"],
        otel_agentops__task__name="answer",
    )  # fmt: skip


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
