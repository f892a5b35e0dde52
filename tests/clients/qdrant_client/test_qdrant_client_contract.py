"""One query of a collection is one retrieval: the collection behind the alias, how much was asked for and found."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from both import done
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse
from retrieval_spans import describe_retrieval, hold, pass_time, settle

import otel_agentops
from otel_agentops.stores import _index_resolver
from otel_agentops.stores.qdrant_client import Instrumentor
from otel_agentops.testing import Capture

VECTORS = {1: [1.0, 0.0], 2: [0.0, 1.0], 3: [1.0, 1.0]}
HALF = 0.70711  # cosine of 45 degrees


async def make_collection(client: Any, name: str, distance: str = "Cosine") -> None:
    vectors = models.VectorParams(size=2, distance=models.Distance(distance))
    await done(client.create_collection(name, vectors_config=vectors))
    points = [models.PointStruct(id=key, vector=vector, payload={}) for key, vector in VECTORS.items()]
    await done(client.upsert(name, points))


async def point_alias(client: Any, alias: str, name: str) -> None:
    change = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=name, alias_name=alias))
    await done(client.update_collection_aliases([change]))
    await settle()  # this process has made the alias: it is asked for before the first query


async def ask(client: Any, name: str, **more: Any) -> Any:
    return await done(client.query_points(name, query=[1.0, 0.0], limit=2, **more))


async def ask_twice(client: Any, name: str) -> None:
    """The first query of a process asks for the version; the second one knows it."""
    await ask(client, name)
    await settle()
    await ask(client, name)


async def test_query_through_an_alias_names_the_collection(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs-1")
    await point_alias(client, "docs", "docs-1")
    await ask_twice(client, "docs")
    span = describe_retrieval("docs", 2, 2, version="docs-1", scores=(1, HALF), kind="similarity")
    assert seen.spans == [span, span]
    assert seen.metrics == {}


async def test_declared_version_goes_before_the_name(
    seen: Capture, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_collection(client, "docs-1")
    declared = {"version": "7", "built_at": "2026-05-01T04:00:00Z", "embedding_model": "embed-x"}
    # The engine in this process does not keep metadata, as servers since 1.16 do.
    original = _index_resolver.describe_index
    monkeypatch.setattr(
        "otel_agentops.stores.qdrant_client.describe_index", lambda _, **facts: original(declared, **facts)
    )
    await point_alias(client, "docs", "docs-1")
    await ask_twice(client, "docs")
    assert seen.spans[-1] == describe_retrieval(
        "docs", 2, 2, version="7", source="declared", scores=(1, HALF), kind="similarity",
        otel_agentops__index__built_at="2026-05-01T04:00:00Z", otel_agentops__index__embedding_model="embed-x",
    )  # fmt: skip


async def test_collection_without_alias_or_version_is_unknown(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs", "Euclid")
    await ask_twice(client, "docs")
    assert seen.spans[-1] == describe_retrieval("docs", 2, 2, scores=(0, 1), kind="distance")


async def test_first_query_of_a_name_that_exists_is_unknown(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs-1")
    change = models.CreateAlias(collection_name="docs-1", alias_name="docs")
    await done(client._client.update_collection_aliases([models.CreateAliasOperation(create_alias=change)]))
    await ask_twice(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == [None, "docs-1"]


async def test_repointed_alias_is_told_at_once(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs-1")
    await make_collection(client, "docs-2")
    await point_alias(client, "docs", "docs-1")
    await ask_twice(client, "docs")
    await point_alias(client, "docs", "docs-2")
    await settle()
    await ask(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == ["docs-1", "docs-1", "docs-2"]
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")]
    assert values == ["docs", "docs-1", "docs-2"]


async def test_alias_repointed_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_collection(client, "docs-1")
    await make_collection(client, "docs-2")
    await point_alias(client, "docs", "docs-1")
    await ask_twice(client, "docs")
    change = models.CreateAlias(collection_name="docs-2", alias_name="docs")
    await done(client._client.update_collection_aliases([models.CreateAliasOperation(create_alias=change)]))
    pass_time(monkeypatch)
    await ask_twice(client, "docs")
    versions = [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]
    assert versions == ["docs-1", "docs-1", "docs-1", "docs-2"]


@pytest.mark.parametrize(("status", "version"), [(403, "docs-1"), (500, None)])
async def test_refused_metadata_leave_the_name_behind_the_alias(
    seen: Capture, client: Any, monkeypatch: pytest.MonkeyPatch, status: int, version: str | None
) -> None:
    await make_collection(client, "docs-1")

    async def refuse_async(name: str) -> None:
        raise UnexpectedResponse(status, "refused", b"", httpx.Headers())

    def refuse(name: str) -> None:
        raise UnexpectedResponse(status, "refused", b"", httpx.Headers())

    is_async = isinstance(client, AsyncQdrantClient)
    monkeypatch.setattr(client, "get_collection", refuse_async if is_async else refuse)
    await point_alias(client, "docs", "docs-1")
    await ask(client, "docs")
    assert seen.spans == [describe_retrieval("docs", 2, 2, version=version, scores=(1, HALF))]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_query_does_not_wait_for_metadata(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs")
    with hold(client, "get_aliases") as called:
        await ask(client, "docs")
        assert called.wait(10)
        await ask(client, "docs")
        assert seen.spans == [describe_retrieval("docs", 2, 2, scores=(1, HALF))] * 2
    await settle()


async def test_groups_are_one_retrieval(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs")
    await done(client.set_payload("docs", {"lang": "en"}, points=[1, 3]))
    await done(client.set_payload("docs", {"lang": "de"}, points=[2]))
    await done(client.query_points_groups("docs", group_by="lang", query=[1.0, 0.0], limit=5))
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.retrieval.document.count"] == 3
    assert span["attributes"]["gen_ai.retrieval.top_k"] == 5


async def test_batch_is_one_retrieval(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs")
    requests = [models.QueryRequest(query=vector, limit=2) for vector in ([1.0, 0.0], [0.0, 1.0])]
    await done(client.query_batch_points("docs", requests))
    assert seen.spans == [describe_retrieval("docs", 2, 4)]


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs")
    await ask(client, "docs", score_threshold=2.0)
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_points_in_the_order_of_ids_are_no_retrieval(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs")
    assert len((await done(client.query_points("docs", limit=2))).points) == 2
    assert seen.spans == []


async def test_missing_collection_is_the_error_of_the_library(seen: Capture, client: Any) -> None:
    with pytest.raises(ValueError, match="docs"):
        await ask(client, "docs")
    await settle()
    assert seen.spans == [describe_retrieval("docs", 2, None, error__type="ValueError")]


async def test_task_remembers_the_index_for_its_model_calls(seen: Capture, client: Any) -> None:
    await make_collection(client, "docs-1")
    await point_alias(client, "docs", "docs-1")
    await ask_twice(client, "docs")
    with otel_agentops.task("answer") as task:
        await ask(client, "docs")
        task.used([1, 99])
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.values"] == ["index/docs=docs-1"]
    assert root["otel_agentops.task.documents_unfounded"] == 1


async def test_uninstrumented_queries_pass(seen: Capture, client: Any, instrumentor: Instrumentor) -> None:
    await make_collection(client, "docs")
    instrumentor.uninstrument()
    assert len((await ask(client, "docs")).points) == 2
    assert seen.spans == []
