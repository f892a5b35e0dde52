"""One search by vectors is one retrieval: the index behind the alias, how much was asked for and found."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from both import done
from redis.commands.search.aggregation import AggregateRequest
from redis.commands.search.field import TextField, VectorField
from redis.commands.search.query import Query
from redis.exceptions import ResponseError
from retrieval_spans import describe_retrieval, hold, pass_time, settle

import otel_agentops
from otel_agentops.stores import redis as adapter
from otel_agentops.stores.redis import Instrumentor
from otel_agentops.testing import Capture

VECTORS = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (1.0, 1.0)}
NEAREST = struct.pack("2f", 1.0, 0.0)
SCORES: dict[str, Any] = {"scores": (0, 1), "kind": "distance"}
KNN = "*=>[KNN $count @embedding $vector AS distance]"


async def make_index(client: Any, name: str) -> None:
    algorithm = {"TYPE": "FLOAT32", "DIM": 2, "DISTANCE_METRIC": "L2"}
    fields = [VectorField("embedding", "FLAT", algorithm), TextField("text")]
    await done(client.ft(name).create_index(fields))
    for key, vector in VECTORS.items():
        await done(client.hset(key, mapping={"embedding": struct.pack("2f", *vector), "text": f"parcel {key}"}))


async def ask(client: Any, name: str = "docs", text: str = KNN) -> Any:
    query = Query(text).sort_by("distance").return_fields("distance", "text").dialect(2)
    return await done(client.ft(name).search(query, {"vector": NEAREST, "count": 2}))


async def point_alias(client: Any, name: str) -> None:
    await done(client.ft(name).aliasupdate("docs"))
    await settle()  # this process has pointed it there: it is asked for before the first query


def list_versions(seen: Capture) -> list[Any]:
    return [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]


async def test_search_through_an_alias_names_the_index(seen: Capture, client: Any) -> None:
    await make_index(client, "docs_1")
    await point_alias(client, "docs_1")
    await ask(client)
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="docs_1", **SCORES)]
    assert seen.metrics == {}


async def test_index_by_its_own_name_has_no_version(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    for _ in range(2):
        await ask(client)
        await settle()
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)] * 2


async def test_repointed_alias_is_told_at_once(seen: Capture, client: Any) -> None:
    for name in ("docs_1", "docs_2"):
        await make_index(client, name)
        await point_alias(client, name)
        await ask(client)
    assert list_versions(seen) == ["docs_1", "docs_2"]
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")]
    assert values == ["docs", "docs_1", "docs_2"]


async def test_alias_repointed_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_index(client, "docs_1")
    await make_index(client, "docs_2")
    await point_alias(client, "docs_1")
    await ask(client)
    await done(client.execute_command("FT.ALIASUPDATE", "docs", "docs_2"))
    pass_time(monkeypatch)
    for _ in range(2):
        await ask(client)
        await settle()
    assert list_versions(seen) == ["docs_1", "docs_1", "docs_2"]


async def test_score_has_its_usual_name(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    query = Query("*=>[KNN 2 @embedding $vector]").sort_by("__embedding_score").dialect(2)
    await done(client.ft("docs").search(query, query_params={"vector": NEAREST}))
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)]


async def test_range_of_vectors_is_a_retrieval(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    await ask(client, text="@embedding:[VECTOR_RANGE 0.5 $vector]=>{$YIELD_DISTANCE_AS: distance}")
    assert seen.spans == [describe_retrieval("docs", 10, 1, scores=(0, 0), kind="distance")]


async def test_aggregation_is_a_retrieval(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    request = AggregateRequest("*=>[KNN 2 @embedding $vector AS distance]").load("@distance").dialect(2)
    await done(client.ft("docs").aggregate(request, {"vector": NEAREST}))
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)]


async def test_search_by_words_is_a_retrieval_inside_one_alone(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    await done(client.ft("docs").search(Query("parcel")))
    assert seen.spans == []
    with otel_agentops.retrieval("docs"):
        await done(client.ft("docs").search(Query("parcel")))
    assert seen.spans == [describe_retrieval("docs", 10, 3)]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_pipeline_is_left_alone(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    pipeline = client.pipeline()
    pipeline.ft("docs").search(Query(KNN).dialect(2), {"vector": NEAREST, "count": 2})
    assert len(pipeline.execute()) == 1
    assert seen.spans == []


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    await ask(client, text="@text:nowhere=>[KNN 2 @embedding $vector AS distance]")
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_missing_index_is_the_error_of_the_library(seen: Capture, client: Any) -> None:
    with pytest.raises(ResponseError):
        await ask(client)
    await settle()
    assert seen.spans == [describe_retrieval("docs", 2, None, error__type="redis.exceptions.ResponseError")]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_search_does_not_wait_for_metadata(seen: Capture, client: Any) -> None:
    await make_index(client, "docs")
    with hold(adapter, "_describe_index") as called:
        await ask(client)
        assert called.wait(10)
        await ask(client)
        assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)] * 2
    await settle()


@pytest.mark.parametrize("client", [2], indirect=True)
@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_query_of_redisvl_is_one_retrieval(seen: Capture, client: Any) -> None:
    from redisvl.index import SearchIndex
    from redisvl.query import VectorQuery

    await make_index(client, "docs")
    attributes = {"dims": 2, "algorithm": "flat", "distance_metric": "l2"}
    fields = [{"name": "embedding", "type": "vector", "attrs": attributes}, {"name": "text", "type": "text"}]
    index = SearchIndex.from_dict({"index": {"name": "docs", "prefix": ""}, "fields": fields}, redis_client=client)
    query = VectorQuery([1.0, 0.0], "embedding", return_fields=["text"], num_results=2)
    assert [document["id"] for document in index.query(query)] == ["a", "c"]
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)]


async def test_words_of_documents_are_content(content: Capture, client: Any) -> None:
    await make_index(client, "docs")
    await ask(client)
    documents = json.loads(content.spans[-1]["attributes"]["gen_ai.retrieval.documents"])
    assert documents[0] == {"id": "a", "distance": 0.0, "content": "parcel a"}


async def test_task_compares_documents(seen: Capture, client: Any) -> None:
    await make_index(client, "docs_1")
    await point_alias(client, "docs_1")
    with otel_agentops.task("answer") as task:
        await ask(client)
        task.used(["a", "z"])
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.values"] == ["index/docs=docs_1"]
    assert root["otel_agentops.task.documents_unfounded"] == 1


async def test_uninstrumented_searches_pass(seen: Capture, client: Any, instrumentor: Instrumentor) -> None:
    await make_index(client, "docs")
    instrumentor.uninstrument()
    await ask(client)
    assert seen.spans == []
