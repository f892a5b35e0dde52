"""A run of a retriever of LangChain is one retrieval, with the facts of the store that it asks."""

from __future__ import annotations

from typing import Any

import pytest
from both import done
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from retrieval_spans import describe_retrieval, settle

import otel_agentops
from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture, capture


class Lengths(Embeddings):
    """Embeds a text as its length, under a model's name."""

    model = "length-1"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Pile(VectorStore):
    """A store of an application, which ranks by nothing."""

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Embeddings, *_: Any, **__: Any) -> Pile:
        pile = cls()
        pile.texts, pile.embedding = texts, embedding
        return pile

    @property
    def embeddings(self) -> Embeddings:
        return self.embedding

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        return [Document(text) for text in self.texts[:k]]


class Pages(BaseRetriever):
    """A retriever of an application, which asks an index that we know, or none."""

    inside: Any = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        if query == "boom":
            raise LookupError(query)
        if self.inside is not None:
            return list(self.inside.invoke(query))
        return [Document(query, id="a"), Document(query, id="b")]


def run(retriever: BaseRetriever, query: str, kind: str) -> Any:
    return retriever.invoke(query) if kind == "sync" else retriever.ainvoke(query)


async def test_retriever_is_one_retrieval(seen: Capture, kind: str) -> None:
    assert [document.id for document in await done(run(Pages(), "parcel", kind))] == ["a", "b"]
    assert seen.spans == [describe_retrieval("Pages", None, 2)]


async def test_retriever_in_a_retriever_is_a_part_of_it(seen: Capture, kind: str) -> None:
    await done(run(Pages(name="pages", inside=Pages()), "parcel", kind))
    assert seen.spans == [describe_retrieval("pages", None, 2)]


async def test_retriever_of_a_vector_store_knows_its_model(seen: Capture, kind: str) -> None:
    retriever = Pile.from_texts(["a", "bb", "ccc"], Lengths()).as_retriever(search_kwargs={"k": 2})
    assert len(await done(run(retriever, "xx", kind))) == 2
    assert seen.spans == [
        describe_retrieval("VectorStoreRetriever", 2, 2, otel_agentops__retrieval__embedding_model="length-1")
    ]


class Searcher(BaseRetriever):
    """A retriever that asks an instrumented store."""

    store: Any

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document("", id=str(point.id)) for point in self.store.query_points("docs", query=[1.0, 0.0]).points]


async def test_retriever_has_the_facts_of_the_store_below(kind: str) -> None:
    reason = "qdrant-client, the store of this test, is not installed"
    models = pytest.importorskip("qdrant_client.models", reason=reason)  # a module: not the folder of its tests
    from qdrant_client import QdrantClient

    from otel_agentops.stores.qdrant_client import Instrumentor as StoreInstrumentor

    store = QdrantClient(":memory:")
    with capture(Instrumentor(), StoreInstrumentor()) as seen:
        size = models.VectorParams(size=2, distance=models.Distance.COSINE)
        store.create_collection("docs-1", vectors_config=size)
        store.upsert("docs-1", [models.PointStruct(id=1, vector=[1.0, 0.0])])
        alias = models.CreateAlias(collection_name="docs-1", alias_name="docs")
        store.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        await settle()
        with otel_agentops.task("answer"):
            await done(run(Searcher(store=store), "parcel", kind))
        span, root = seen.spans
        task = {key: value for key, value in span["attributes"].items() if ".task." in key}
        assert span == describe_retrieval(
            "docs", 10, 1, version="docs-1", scores=(1, 1), kind="similarity", parent=root["name"],
            **{key.replace(".", "__"): value for key, value in task.items()},
        )  # fmt: skip
        assert root["attributes"]["otel_agentops.task.values"] == ["index/docs=docs-1"]


async def test_failing_retriever_is_an_error(seen: Capture, kind: str) -> None:
    with pytest.raises(LookupError):
        await done(run(Pages(), "boom", kind))
    assert seen.spans == [describe_retrieval("Pages", None, None, error__type="LookupError")]


async def test_task_compares_documents_of_a_retriever(seen: Capture, kind: str) -> None:
    with otel_agentops.task("answer") as task:
        await done(run(Pages(), "parcel", kind))
        task.used(["a", "invented"])
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.documents_unfounded"] == 1


async def test_uninstrumented_retrievers_pass(seen: Capture, kind: str) -> None:
    Instrumentor().uninstrument()
    assert len(await done(run(Pages(), "parcel", kind))) == 2
    assert seen.spans == []
