"""A run of a retriever of LangChain is one retrieval, with the facts of the store that it asks."""

from __future__ import annotations

from typing import Any

import pytest
from both import done
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore
from retrieval_spans import describe_retrieval

import otel_agentops
from otel_agentops.frameworks.langchain_core import Instrumentor
from otel_agentops.testing import Capture


class Lengths(Embeddings):
    """Embeds a text as its length, under a model's name."""

    model = "length-1"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


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
    store = InMemoryVectorStore(Lengths())
    store.add_texts(["a", "bb", "ccc"])
    retriever = store.as_retriever(search_kwargs={"k": 2})
    assert len(await done(run(retriever, "xx", kind))) == 2
    assert seen.spans == [
        describe_retrieval("VectorStoreRetriever", 2, 2, otel_agentops__retrieval__embedding_model="length-1")
    ]


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
