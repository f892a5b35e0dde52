"""One query of a namespace is one retrieval, with the time when the namespace was made as its version."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from both import done
from retrieval_spans import describe_retrieval, pass_time, settle
from turbopuffer_server import TurbopufferServer

import otel_agentops
from otel_agentops.stores.turbopuffer import Instrumentor
from otel_agentops.testing import Capture

SCORES: dict[str, Any] = {"scores": (0.1, 0.4), "kind": "distance"}
OLD, NEW = "2026-05-01T04:00:00Z", "2026-06-01T04:00:00Z"
FACTS: dict[str, Any] = {"version": OLD, "otel_agentops__index__built_at": OLD}


async def ask(client: Any, name: str = "docs", **more: Any) -> Any:
    namespace = client.namespace(name)
    return await done(namespace.query(**{"rank_by": ("vector", "ANN", [1.0, 0.0]), "top_k": 2, **more}))


async def ask_twice(client: Any) -> None:
    """The first query of a process asks for the version; the second one knows it."""
    for _ in range(2):
        await ask(client)
        await settle()


def list_versions(seen: Capture) -> list[Any]:
    return [span["attributes"].get("otel_agentops.index.version") for span in seen.spans]


async def test_version_is_the_time_of_the_namespace(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    await ask_twice(client)
    assert seen.spans == [
        describe_retrieval("docs", 2, 2, **SCORES), describe_retrieval("docs", 2, 2, **SCORES, **FACTS),
    ]  # fmt: skip
    assert seen.metrics == {}


async def test_namespace_may_be_an_argument(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    rank_by = ("vector", "ANN", [1.0, 0.0])
    await done(client.namespace("other").query(namespace="docs", rank_by=rank_by, top_k=2))
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)]


async def test_limit_may_have_a_total(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    if "limit" not in inspect.signature(client.namespace("docs").query).parameters:
        pytest.skip("a query of this turbopuffer has no `limit`")
    await ask(client, top_k=None, limit={"total": 2})
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)]


async def test_query_by_words_has_similarities(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    server.rows = [("a", 3.5), ("b", 1.5)]
    await ask(client, rank_by=("text", "BM25", "parcel"))
    assert seen.spans == [describe_retrieval("docs", 2, 2, scores=(3.5, 1.5), kind="similarity")]


async def test_several_queries_are_one_retrieval(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    queries = [{"rank_by": ("vector", "ANN", [1.0, 0.0]), "top_k": 2}] * 2
    await done(client.namespace("docs").multi_query(queries=queries))
    assert seen.spans == [describe_retrieval("docs", 2, 4, **SCORES)]


async def test_order_of_an_attribute_is_no_retrieval(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    await ask(client, rank_by=("id", "asc"))
    assert seen.spans == []


async def test_question_takes_no_records_of_the_client(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    """Records of a request go with the next request of the application, as without us."""
    pytest.importorskip("turbopuffer.lib.telemetry", reason="this turbopuffer has no telemetry of its own")
    await ask_twice(client)
    recording = client.with_options(telemetry=True)
    await done(recording.namespace("docs").delete_all())
    await settle()
    await ask(recording)
    assert server.reports[-3:] == [False, False, True], "deletion, question about the version, query"


async def test_namespace_made_anew_here_is_told_at_once(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    await ask_twice(client)
    await done(client.namespace("docs").delete_all())
    await settle()
    await ask(client)
    assert list_versions(seen) == [None, OLD, NEW]
    (event,) = seen.events
    assert event["attributes"]["otel_agentops.change.previous"] == OLD


async def test_namespace_made_anew_elsewhere_is_seen_within_the_time(
    seen: Capture, client: Any, server: TurbopufferServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_twice(client)
    server.created["docs"] = NEW
    pass_time(monkeypatch)
    await ask_twice(client)
    assert list_versions(seen) == [None, OLD, OLD, NEW]


async def test_nothing_found_is_a_count_of_zero(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    server.rows = []
    await ask(client)
    assert seen.spans == [describe_retrieval("docs", 2, 0)]


async def test_missing_namespace_is_the_error_of_the_library(
    seen: Capture, client: Any, server: TurbopufferServer
) -> None:
    with pytest.raises(Exception, match="not found"):
        await ask(client, "other")
    await settle()
    assert seen.spans == [describe_retrieval("other", 2, None, error__type="turbopuffer.NotFoundError")]


async def test_query_does_not_wait_for_metadata(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    server.may_tell.clear()
    await ask(client)
    await ask(client)
    assert seen.spans == [describe_retrieval("docs", 2, 2, **SCORES)] * 2
    server.may_tell.set()
    await settle()


async def test_refused_metadata_are_asked_once(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    server.status = 403
    for _ in range(3):
        await ask(client)
        await settle()
    assert list_versions(seen) == [None] * 3
    assert server.questions == 1


async def test_documents_are_content(content: Capture, client: Any, server: TurbopufferServer) -> None:
    await ask(client)
    documents = json.loads(content.spans[-1]["attributes"]["gen_ai.retrieval.documents"])
    assert documents[0] == {"id": "a", "distance": 0.1}


async def test_task_remembers_the_index(seen: Capture, client: Any, server: TurbopufferServer) -> None:
    await ask_twice(client)
    with otel_agentops.task("answer"):
        await ask(client)
    assert seen.spans[-1]["attributes"]["otel_agentops.task.values"] == [f"index/docs={OLD}"]


async def test_uninstrumented_queries_pass(
    seen: Capture, client: Any, server: TurbopufferServer, instrumentor: Instrumentor
) -> None:
    instrumentor.uninstrument()
    assert len((await ask(client)).rows) == 2
    assert seen.spans == []
