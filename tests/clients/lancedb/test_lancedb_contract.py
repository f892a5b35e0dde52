"""One query of a table is one retrieval: the version of the table, how much was asked for and found."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from both import done
from retrieval_spans import describe_retrieval, hold, pass_time, settle

import otel_agentops
from otel_agentops.stores import lancedb as adapter
from otel_agentops.stores.lancedb import Instrumentor
from otel_agentops.testing import Capture

ROWS = [
    {"id": "a", "vector": [1.0, 0.0], "text": "a parcel"},
    {"id": "b", "vector": [0.0, 1.0], "text": "a refund"},
    {"id": "c", "vector": [1.0, 1.0], "text": "a parcel and a refund"},
]
SCORES: dict[str, Any] = {"scores": (0, 1), "kind": "distance"}


def make_rows(**metadata: str) -> pa.Table:
    vector = pa.list_(pa.float32(), 2)
    fields = [pa.field("id", pa.string()), pa.field("vector", vector), pa.field("text", pa.string())]
    return pa.Table.from_pylist(ROWS, schema=pa.schema(fields, metadata=metadata or None))


async def make_table(database: Any, mode: str = "create", **metadata: str) -> Any:
    table = await done(database.create_table("docs", make_rows(**metadata), mode=mode))
    await settle()  # this process has made it: it is asked for before the first query
    return table


def is_sync(table: Any) -> bool:
    return not hasattr(table, "vector_search")


def search(table: Any, vector: Any = (1.0, 0.0)) -> Any:
    return table.search(list(vector)) if is_sync(table) else table.vector_search(list(vector))


async def ask(table: Any, how: str = "to_list") -> Any:
    return await done(getattr(search(table).limit(2), how)())


async def add_text_index(table: Any) -> None:
    from lancedb.index import FTS

    await done(table.create_fts_index("text") if is_sync(table) else table.create_index("text", config=FTS()))


async def test_query_names_the_version_of_the_table(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    assert [row["id"] for row in await ask(table)] == ["a", "c"]
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="v1", **SCORES)]
    assert seen.metrics == {}


@pytest.mark.parametrize("how", ["to_arrow", "to_pandas"])
async def test_every_form_of_result_is_one_retrieval(seen: Capture, database: Any, how: str) -> None:
    assert len(await ask(await make_table(database), how=how)) == 2
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="v1", **SCORES)]


async def test_batches_are_one_retrieval_of_unknown_count(seen: Capture, database: Any) -> None:
    await ask(await make_table(database), how="to_batches")
    assert seen.spans == [describe_retrieval("docs", 2, None, version="v1")]


async def test_declared_version_goes_before_the_number(seen: Capture, database: Any) -> None:
    await ask(await make_table(database, version="7", embedding_model="embed-x", built_at="2026-05-01T04:00:00Z"))
    assert seen.spans == [
        describe_retrieval(
            "docs", 2, 2, version="7", source="declared", **SCORES,
            otel_agentops__index__built_at="2026-05-01T04:00:00Z", otel_agentops__index__embedding_model="embed-x",
        )
    ]  # fmt: skip


async def test_table_made_anew_is_told_at_once(seen: Capture, database: Any) -> None:
    await ask(await make_table(database))
    await ask(await make_table(database, "overwrite"))
    versions = [span["attributes"]["otel_agentops.index.version"] for span in seen.spans]
    assert versions == ["v1", "v2"]
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")]
    assert values == ["docs", "v1", "v2"]


async def test_added_documents_are_a_version_within_the_time(
    seen: Capture, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = await make_table(database)
    await done(table.add(make_rows()))
    await ask(table)
    pass_time(monkeypatch)
    await ask(table)
    await settle()
    await ask(table)
    versions = [span["attributes"]["otel_agentops.index.version"] for span in seen.spans]
    assert versions == ["v1", "v1", "v2"]


async def test_table_that_is_checked_out_has_its_own_version(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    await done(table.tags.create("prod", 1))
    await make_table(database, "overwrite")
    pinned = await done(database.open_table("docs"))
    await done(pinned.checkout("prod"))
    await settle()
    await ask(pinned)
    await ask(await done(database.open_table("docs")))
    await done(pinned.checkout_latest())
    await settle()
    await ask(pinned)
    versions = [span["attributes"]["otel_agentops.index.version"] for span in seen.spans]
    assert versions == ["v1", "v2", "v2"]


async def test_hybrid_query_is_one_retrieval(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    await add_text_index(table)
    if is_sync(table):
        query = table.search(query_type="hybrid").vector([1.0, 0.0]).text("parcel")
    else:
        query = search(table).nearest_to_text("parcel")
    rows = await done(query.limit(2).to_list())
    scores = [row["_relevance_score"] for row in rows]
    assert seen.spans == [
        describe_retrieval("docs", 2, 2, version="v1", scores=(scores[0], scores[-1]), kind="similarity")
    ]


async def test_query_by_words_is_a_retrieval(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    await add_text_index(table)
    query = table.search("parcel", query_type="fts") if is_sync(table) else table.query().nearest_to_text("parcel")
    scores = [row["_score"] for row in await done(query.limit(2).to_list())]
    assert seen.spans == [
        describe_retrieval("docs", 2, 2, version="v1", scores=(scores[0], scores[1]), kind="similarity")
    ]


async def test_several_vectors_are_one_retrieval(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    await done(search(table, ([1.0, 0.0], [0.0, 1.0])).limit(2).to_list())
    assert seen.spans == [describe_retrieval("docs", 2, 4, version="v1", **SCORES)]


async def test_limit_that_is_not_given_is_ten(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    for _ in range(4):
        await done(table.add(make_rows()))
    assert len(await done(search(table).to_list())) == 10
    (span,) = seen.spans
    assert span["attributes"]["gen_ai.retrieval.top_k"] == 10


async def test_nothing_found_is_a_count_of_zero(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    assert await done(search(table).where("id = 'z'").limit(2).to_list()) == []
    assert seen.spans == [describe_retrieval("docs", 2, 0, version="v1")]


async def test_scan_is_no_retrieval(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    query = table.search() if is_sync(table) else table.query()
    assert len(await done(query.limit(2).to_list())) == 2
    assert seen.spans == []


async def test_failing_query_is_the_error_of_the_library(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    with pytest.raises(Exception, match="nowhere") as raised:
        await done(search(table).where("nowhere = 1").limit(2).to_list())
    assert seen.spans == [
        describe_retrieval("docs", 2, None, version="v1", error__type=type(raised.value).__qualname__)
    ]


@pytest.mark.parametrize("kind", ["sync"], indirect=True)
async def test_query_does_not_wait_for_the_version(
    seen: Capture, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = await make_table(database)
    pass_time(monkeypatch)
    with hold(adapter, "_describe_table") as called:
        await ask(table)
        assert called.wait(10)
        await ask(table)
        assert seen.spans == [describe_retrieval("docs", 2, 2, version="v1", **SCORES)] * 2
    await settle()


async def test_words_of_documents_are_content(content: Capture, database: Any) -> None:
    await ask(await make_table(database))
    documents = json.loads(content.spans[-1]["attributes"]["gen_ai.retrieval.documents"])
    assert documents[0] == {"id": "a", "distance": 0.0, "content": "a parcel"}


async def test_query_inside_the_verb_is_the_same_retrieval(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    with otel_agentops.retrieval("docs", top_k=2):
        await ask(table)
    assert seen.spans == [describe_retrieval("docs", 2, 2, version="v1", **SCORES)]


async def test_task_compares_documents(seen: Capture, database: Any) -> None:
    table = await make_table(database)
    with otel_agentops.task("answer") as task:
        await ask(table)
        task.used(["a", "z"])
    root = seen.spans[-1]["attributes"]
    assert root["otel_agentops.task.values"] == ["index/docs=v1"]
    assert root["otel_agentops.task.documents_unfounded"] == 1


async def test_uninstrumented_queries_pass(seen: Capture, database: Any, instrumentor: Instrumentor) -> None:
    table = await make_table(database)
    instrumentor.uninstrument()
    assert len(await ask(table)) == 2
    assert seen.spans == []
