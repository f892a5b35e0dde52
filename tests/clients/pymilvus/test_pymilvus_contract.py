"""One search of a collection is one retrieval: the collection behind the alias, how much was asked for and found."""

from __future__ import annotations

from typing import Any

import pytest
from both import done
from pymilvus import AnnSearchRequest, MilvusException, RRFRanker
from retrieval_spans import describe_retrieval, hold, pass_time, settle

import otel_agentops
from otel_agentops.stores.pymilvus import Instrumentor
from otel_agentops.testing import Capture

VECTORS = {1: [1.0, 0.0], 2: [0.0, 1.0], 3: [1.0, 1.0]}
SCORES: dict[str, Any] = {"scores": (1, 0.70711), "kind": "similarity"}  # cosines of 0 and 45 degrees


def make_collection(maker: Any, name: str, **properties: str) -> None:
    maker.create_collection(name, dimension=2, properties=properties)
    maker.insert(name, [{"id": key, "vector": vector} for key, vector in VECTORS.items()])


async def ask(client: Any, name: str, **more: Any) -> Any:
    return await done(client.search(name, data=[[1.0, 0.0]], **{"limit": 2, **more}))


async def test_search_through_an_alias_names_the_collection(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs_1")
    await done(client.create_alias(collection_name="docs_1", alias="docs"))
    await settle()
    assert [hit["id"] for hit in (await ask(client, "docs"))[0]] == [1, 3]
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="docs_1", **SCORES)]


async def test_declared_version_goes_before_the_name(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs_1", version="7", embedding_model="embed-x")
    await done(client.create_alias(collection_name="docs_1", alias="docs"))
    await settle()
    await ask(client, "docs")
    facts = {"version": "7", "source": "declared", "otel_agentops__index__embedding_model": "embed-x"}
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES, **facts)]


async def test_first_search_of_a_name_is_unknown(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs", version="7")
    await ask(client, "docs")
    await settle()
    await ask(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == [None, "7"]


async def test_altered_alias_is_told_at_once(seen: Capture, client: Any, maker: Any) -> None:
    for name in ("docs_1", "docs_2"):
        make_collection(maker, name)
    await done(client.create_alias(collection_name="docs_1", alias="docs"))
    await settle()
    await ask(client, "docs")
    await done(client.alter_alias(collection_name="docs_2", alias="docs"))
    await settle()
    await ask(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == ["docs_1", "docs_2"]
    (event,) = seen.events
    assert event["attributes"]["otel_agentops.change.previous"] == "docs_1"


async def test_alias_altered_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, maker: Any, instrumentor: Instrumentor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs_1", "docs_2"):
        make_collection(maker, name)
    await done(client.create_alias(collection_name="docs_1", alias="docs"))
    await settle()
    (library,) = instrumentor.libraries
    library.active = False  # as if another process did it
    await done(client.alter_alias(collection_name="docs_2", alias="docs"))
    library.active = True
    pass_time(monkeypatch)
    await ask(client, "docs")
    await settle()
    await ask(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == ["docs_1", "docs_2"]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_search_does_not_wait_for_metadata(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs", version="7")
    with hold(client, "describe_collection") as called:
        await ask(client, "docs")
        assert called.wait(10)
        await ask(client, "docs")
        assert seen.spans == [describe_retrieval("docs", 2, 2, scores=(1, 0.70711))] * 2
    await settle()


async def test_hybrid_search_is_one_retrieval(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs")
    requests = [AnnSearchRequest([vector], "vector", {}, limit=2) for vector in ([1.0, 0.0], [0.0, 1.0])]
    await done(client.hybrid_search("docs", requests, RRFRanker(), limit=3))
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.retrieval.document.count"] == 3
    assert span["attributes"]["gen_ai.retrieval.top_k"] == 3


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs")
    await ask(client, "docs", filter="id > 100")
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_missing_collection_is_the_error_of_the_library(seen: Capture, client: Any, maker: Any) -> None:
    with pytest.raises(MilvusException):
        await ask(client, "docs")
    await settle()
    assert seen.spans == [describe_retrieval("docs", 2, None, error__type="pymilvus.exceptions.MilvusException")]


async def test_task_compares_documents(seen: Capture, client: Any, maker: Any) -> None:
    make_collection(maker, "docs")
    with otel_agentops.task("answer") as task:
        await ask(client, "docs")
        task.used([1, 99])
    assert seen.spans[-1]["attributes"]["otel_agentops.task.documents_unfounded"] == 1


async def test_uninstrumented_searches_pass(seen: Capture, client: Any, maker: Any, instrumentor: Instrumentor) -> None:
    make_collection(maker, "docs")
    instrumentor.uninstrument()
    assert len((await ask(client, "docs"))[0]) == 2
    assert seen.spans == []
