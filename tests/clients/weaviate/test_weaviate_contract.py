"""One search of a collection is one retrieval: the collection behind the alias, how much was asked for and found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from both import done
from retrieval_spans import describe_retrieval, pass_time, settle
from weaviate.classes.query import MetadataQuery

import otel_agentops
from otel_agentops.stores.weaviate import Instrumentor
from otel_agentops.testing import Capture

SCORES: dict[str, Any] = {"scores": (0.125, 0.5), "kind": "distance"}
MODEL = {"otel_agentops__index__embedding_model": "embed-x"}


async def ask(client: Any, name: str = "Docs") -> Any:
    query = client.collections.get(name).query
    return await done(query.near_vector([1.0, 0.0], limit=2, return_metadata=MetadataQuery(distance=True)))


async def ask_twice(client: Any) -> None:
    """The first search of a process asks for the version; the second one knows it."""
    for _ in range(2):
        assert len((await ask(client)).objects) == 2
        await settle()


def list_versions(seen: Capture) -> list[Any]:
    return [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]


async def test_search_through_an_alias_names_the_collection(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs_1"] = "Help pages"
    server.aliases["Docs"] = "Docs_1"
    await ask_twice(client)
    assert seen.spans == [
        describe_retrieval("Docs", 2, 2, **SCORES),
        describe_retrieval("Docs", 2, 2, version="Docs_1", **SCORES, **MODEL),
    ]
    assert seen.metrics == {}


async def test_declared_version_is_in_the_description(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = "Help pages; version=7, embedding_model=embed-y"
    await ask_twice(client)
    facts = {"version": "7", "source": "declared", "otel_agentops__index__embedding_model": "embed-y"}
    assert seen.spans[-1] == describe_retrieval("Docs", 2, 2, **SCORES, **facts)


async def test_objects_that_name_their_collection_are_believed(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs_1"], server.names_collections = "", True
    server.aliases["Docs"] = "Docs_1"
    await ask(client)
    assert seen.spans == [describe_retrieval("Docs", 2, 2, version="Docs_1", **SCORES)]


async def test_repointed_alias_is_told_at_once(seen: Capture, client: Any, server: Any) -> None:
    server.collections.update({"Docs_1": "", "Docs_2": ""})
    server.aliases["Docs"] = "Docs_1"
    await ask_twice(client)
    await done(client.alias.update(alias_name="Docs", new_target_collection="Docs_2"))
    await settle()
    await ask(client)
    assert list_versions(seen) == [None, "Docs_1", "Docs_2"]
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")]
    assert values == ["Docs", "Docs_1", "Docs_2"]


async def test_alias_repointed_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.collections.update({"Docs_1": "", "Docs_2": ""})
    server.aliases["Docs"] = "Docs_1"
    await ask_twice(client)
    server.aliases["Docs"] = "Docs_2"
    pass_time(monkeypatch)
    await ask_twice(client)
    assert list_versions(seen) == [None, "Docs_1", "Docs_1", "Docs_2"]


@pytest.mark.parametrize("method", ["hybrid", "bm25"])
async def test_search_by_words_has_similarities(seen: Capture, client: Any, server: Any, method: str) -> None:
    server.collections["Docs"] = ""
    search = getattr(client.collections.get("Docs").query, method)
    await done(search("parcel", limit=2, return_metadata=MetadataQuery(score=True)))
    assert seen.spans == [describe_retrieval("Docs", 2, 2, scores=(0.875, 0.25), kind="similarity")]


async def test_scores_that_are_not_asked_for_are_unknown(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = ""
    await done(client.collections.get("Docs").query.near_text("parcel"))
    assert seen.spans == [describe_retrieval("Docs", None, 2)]


async def test_list_of_objects_is_no_retrieval(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = ""
    await done(client.collections.get("Docs").query.fetch_objects(limit=2))
    assert seen.spans == []


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"], server.objects = "", []
    await ask(client)
    assert seen.spans == [describe_retrieval("Docs", 2, 0)]


async def test_missing_collection_is_the_error_of_the_library(seen: Capture, client: Any, server: Any) -> None:
    with pytest.raises(Exception, match="could not find") as raised:
        await ask(client)
    kind = type(raised.value)
    assert seen.spans == [describe_retrieval("Docs", 2, None, error__type=f"{kind.__module__}.{kind.__qualname__}")]


async def test_search_does_not_wait_for_metadata(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = ""
    server.may_tell.clear()
    await ask(client)
    await ask(client)
    assert seen.spans == [describe_retrieval("Docs", 2, 2, **SCORES)] * 2
    server.may_tell.set()
    await settle()


async def test_refused_metadata_are_asked_once(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"], server.status = "", 403
    for _ in range(3):
        await ask(client)
        await settle()
    assert list_versions(seen) == [None] * 3
    assert server.questions == 1


async def test_words_are_content(content: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = ""
    query = client.collections.get("Docs").query
    await done(query.near_text(["parcel", "late"], limit=2, return_metadata=MetadataQuery(distance=True)))
    values = content.spans[-1]["attributes"]
    assert values["gen_ai.retrieval.query.text"] == "parcel\nlate"
    assert json.loads(values["gen_ai.retrieval.documents"])[0]["content"] == "a"


async def test_task_remembers_the_index(seen: Capture, client: Any, server: Any) -> None:
    server.collections["Docs"] = "version=7"
    await ask_twice(client)
    with otel_agentops.task("answer"):
        await ask(client)
    assert seen.spans[-1]["attributes"]["otel_agentops.task.values"] == ["index/Docs=7"]


async def test_uninstrumented_searches_pass(
    seen: Capture, client: Any, server: Any, instrumentor: Instrumentor
) -> None:
    server.collections["Docs"] = ""
    instrumentor.uninstrument()
    assert len((await ask(client)).objects) == 2
    assert seen.spans == []
