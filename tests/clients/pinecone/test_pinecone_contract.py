"""One query of an index is one retrieval, with the version in the tags of the index."""

from __future__ import annotations

from typing import Any

import pytest
from both import done
from pinecone import Pinecone
from pinecone_server import PineconeServer, run_grpc_server
from retrieval_spans import describe_retrieval, pass_time, settle

import otel_agentops
from otel_agentops.stores.pinecone import Instrumentor
from otel_agentops.testing import Capture

SCORES: dict[str, Any] = {"scores": (0.9, 0.5), "kind": "similarity"}


async def ask(index: Any, **more: Any) -> Any:
    return await done(index.query(**{"vector": [1.0, 0.1], "top_k": 2, "namespace": "acme", **more}))


async def open_index(client: Any, **by: str) -> Any:
    index = await done(client.index(**(by or {"name": "docs"})))
    await settle()  # an index that is opened by its name is asked for at once
    return index


async def test_version_is_in_the_tags(seen: Capture, client: Any, server: PineconeServer) -> None:
    server.tags = {"version": "7", "embedding_model": "embed-x"}
    index = await open_index(client)
    assert len((await ask(index)).matches) == 2
    assert seen.spans == [
        describe_retrieval(
            "docs", 2, 2, version="7", source="declared", **SCORES, otel_agentops__index__embedding_model="embed-x"
        )
    ]
    assert seen.metrics == {}


async def test_index_without_tags_is_unknown(seen: Capture, client: Any, server: PineconeServer) -> None:
    server.metric, server.matches = "euclidean", [("a", 0.1), ("b", 0.4)]
    await ask(await open_index(client))
    assert seen.spans == [describe_retrieval("docs", 2, 2, scores=(0.1, 0.4), kind="distance")]


async def test_index_opened_by_its_host_has_the_name_of_that(
    seen: Capture, client: Any, server: PineconeServer
) -> None:
    await ask(await open_index(client, host=server.url))
    assert seen.spans == [describe_retrieval("127", 2, 2, scores=(0.9, 0.5))]


async def test_search_is_one_retrieval(seen: Capture, client: Any, server: PineconeServer) -> None:
    server.tags = {"version": "7"}
    index = await open_index(client)
    await done(index.search(namespace="acme", top_k=3, inputs={"text": "parcel"}))
    assert seen.spans == [describe_retrieval("docs", 3, 2, version="7", source="declared", **SCORES)]


async def test_query_by_grpc_is_one_retrieval(seen: Capture, server: PineconeServer) -> None:
    server.tags = {"version": "7"}
    opener = Pinecone(api_key="k", host=server.url, grpc_scheme="http")
    with run_grpc_server(server):
        index = opener.index("docs", grpc=True)
        await settle()
        assert [match.id for match in (await ask(index)).matches] == ["a", "b"]
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="7", source="declared", **SCORES)]


async def test_each_of_several_namespaces_is_a_retrieval(seen: Capture, client: Any, server: PineconeServer) -> None:
    index = await open_index(client)
    await done(index.query_namespaces(vector=[1.0, 0.1], namespaces=["a", "b"], metric="cosine", top_k=2))
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)] * 2


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any, server: PineconeServer) -> None:
    server.matches = []
    await ask(await open_index(client))
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_version_that_is_declared_anew_is_seen_within_the_time(
    seen: Capture, client: Any, server: PineconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tags = {"version": "7"}
    index = await open_index(client)
    await ask(index)
    server.tags = {"version": "8"}
    pass_time(monkeypatch)
    await ask(index)
    await settle()
    await ask(index)
    assert [span["attributes"]["otel_agentops.index.version"] for span in seen.spans] == ["7", "7", "8"]
    (event,) = seen.events
    assert event["attributes"]["otel_agentops.change.value"] == "8"


async def test_query_does_not_wait_for_metadata(
    seen: Capture, client: Any, server: PineconeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.tags = {"version": "7"}
    index = await open_index(client)
    pass_time(monkeypatch)
    server.may_tell.clear()
    for _ in range(3):
        await ask(index)
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="7", source="declared", **SCORES)] * 3
    server.may_tell.set()
    await settle()


async def test_refused_description_is_asked_once(seen: Capture, client: Any, server: PineconeServer) -> None:
    index = await open_index(client)
    server.status = 403
    count = server.described
    for _ in range(3):
        await ask(index)
        await settle()
    assert server.described == count, "what the client's own question brought is kept"


async def test_failing_query_is_the_error_of_the_library(seen: Capture, client: Any) -> None:
    index = await open_index(client)
    with pytest.raises(Exception, match="zeros") as raised:
        await ask(index, vector=[0.0, 0.0])
    kind = type(raised.value)
    assert seen.spans == [describe_retrieval("docs", 2, None, error__type=f"{kind.__module__}.{kind.__qualname__}")]


async def test_task_remembers_the_index(seen: Capture, client: Any, server: PineconeServer) -> None:
    server.tags = {"version": "7"}
    index = await open_index(client)
    with otel_agentops.task("answer"):
        await ask(index)
    assert seen.spans[-1]["attributes"]["otel_agentops.task.values"] == ["index/docs=7"]


async def test_uninstrumented_queries_pass(seen: Capture, client: Any, instrumentor: Instrumentor) -> None:
    index = await open_index(client)
    instrumentor.uninstrument()
    assert len((await ask(index)).matches) == 2, "though the object keeps its patched methods"
    assert seen.spans == []
