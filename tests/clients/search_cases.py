"""The tests that Elasticsearch and OpenSearch share: their hits name the concrete index."""

from __future__ import annotations

import json
from typing import Any

import pytest
from both import done
from opentelemetry.instrumentation.utils import suppress_instrumentation
from retrieval_spans import describe_retrieval, pass_time, settle
from search_server import SearchServer

import otel_agentops
from otel_agentops.testing import Capture, capture

KNN = {"knn": {"field": "v", "query_vector": [1.0, 0.0], "k": 2}}
SCORES: dict[str, Any] = {"scores": (0.9, 0.5), "kind": "similarity"}


async def ask(client: Any, index: str = "docs", body: Any = None) -> Any:
    return await done(client.search(index=index, body=body or {"size": 5, **KNN}))


def list_retrievals(seen: Capture) -> list[Any]:
    """Return our spans: the client may make its own."""
    return [span for span in seen.spans if span["name"].startswith("retrieval ")]


class SearchCases:
    """The cases; a subclass names the error of an index that is not there."""

    not_found: str

    async def test_hits_name_the_index_behind_the_alias(self, seen: Capture, client: Any, server: SearchServer) -> None:
        server.add_index("docs-1")
        server.aliases["docs"] = ["docs-1"]
        result = await ask(client)
        assert len(result["hits"]["hits"]) == 2
        await settle()
        await ask(client)
        first = describe_retrieval("docs", 5, 2, version="docs-1", **SCORES)
        first["attributes"]["otel_agentops.index.version"] = "docs-1"
        built = {"otel_agentops__index__built_at": "2026-05-01T04:00:00Z"}
        second = describe_retrieval("docs", 5, 2, version="uuid-of-docs-1", **SCORES, **built)
        assert list_retrievals(seen) == [first, second]

    async def test_declared_version_goes_before_the_name(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs-1", version="7", embedding_model="embed-x")
        server.aliases["docs"] = ["docs-1"]
        await ask(client)
        await settle()
        await ask(client)
        assert list_retrievals(seen)[-1] == describe_retrieval(
            "docs", 5, 2, version="7", source="declared", **SCORES,
            otel_agentops__index__built_at="2026-05-01T04:00:00Z", otel_agentops__index__embedding_model="embed-x",
        )  # fmt: skip

    async def test_alias_over_two_indexes_has_both_versions(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs-1", version="1")
        server.add_index("docs-2", version="2")
        server.aliases["docs"] = ["docs-1", "docs-2"]
        server.hits = [("docs-2", "a", 0.9), ("docs-1", "b", 0.5)]
        await ask(client)
        await settle()
        with otel_agentops.task("answer"):
            await ask(client)
        values = list_retrievals(seen)[-1]["attributes"]
        assert values["otel_agentops.index.version"] == "1,2"
        assert values["otel_agentops.retrieval.indexes"] == ["docs@1", "docs@2"]
        assert seen.spans[-1]["attributes"]["otel_agentops.task.values"] == ["index/docs=1", "index/docs=2"]

    async def test_repointed_alias_shows_on_the_very_query(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs-1")
        server.aliases["docs"] = ["docs-1"]
        await ask(client)
        server.add_index("docs-2")  # and its hits
        server.aliases["docs"] = ["docs-2"]
        await ask(client)
        versions = [span["attributes"]["otel_agentops.index.version"] for span in list_retrievals(seen)]
        assert versions == ["docs-1", "docs-2"]

    async def test_alias_changed_by_this_client_is_told_at_once(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs-1", version="1")
        server.add_index("docs-2", version="2")
        server.aliases["docs"] = ["docs-1"]
        await ask(client)
        await settle()
        await done(client.indices.update_aliases(body={"actions": [{"add": {"index": "docs-2", "alias": "docs"}}]}))
        await settle()
        changes = [event["attributes"] for event in seen.events]
        assert [
            tuple(each[f"otel_agentops.change.{name}"] for name in ("scope", "previous", "value")) for each in changes
        ] == [("docs", "1", "2")]

    async def test_zero_hits_have_the_version_that_is_known(
        self, seen: Capture, client: Any, server: SearchServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.add_index("docs-1", version="7")
        server.aliases["docs"] = ["docs-1"]
        server.hits = []
        await ask(client)
        await settle()
        await ask(client)
        spans = list_retrievals(seen)
        built = {"otel_agentops__index__built_at": "2026-05-01T04:00:00Z"}
        assert spans == [
            describe_retrieval("docs", 5, 0),
            describe_retrieval("docs", 5, 0, version="7", source="declared", **built),
        ]
        server.indexes["docs-1"]["mappings"] = {"_meta": {"version": "8"}}
        pass_time(monkeypatch)
        await ask(client)
        await settle()
        await ask(client)
        versions = [span["attributes"]["otel_agentops.index.version"] for span in list_retrievals(seen)[2:]]
        assert versions == ["7", "8"]

    async def test_search_by_words_is_a_retrieval_inside_one_alone(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs")
        body = {"query": {"match": {"text": "parcel"}}, "size": 3}
        await ask(client, body=body)
        assert list_retrievals(seen) == []
        with otel_agentops.retrieval("docs", top_k=3):
            await ask(client, body=body)
        assert list_retrievals(seen) == [describe_retrieval("docs", 3, 2, **SCORES)]

    async def test_text_and_model_of_the_query_are_read(
        self, client: Any, server: SearchServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
        server.add_index("docs", embedding_model="m-1")
        body = {"query": {"neural": {"v": {"query_text": "parcel", "model_id": "m-2", "k": 2}}}}
        with capture(self.make_instrumentor()) as seen:
            await ask(client, body=body)
            await settle()
            await ask(client, body=body)
            values = list_retrievals(seen)[-1]["attributes"]
        assert values["gen_ai.retrieval.query.text"] == "parcel"
        assert json.loads(values["gen_ai.retrieval.documents"])[0] == {"id": "a", "score": 0.9, "content": "a"}
        assert values["otel_agentops.retrieval.embedding_model"] == "m-2"
        assert values["otel_agentops.retrieval.embedding_mismatch"] is True

    def make_instrumentor(self) -> Any:
        raise NotImplementedError

    async def test_missing_index_is_the_error_of_the_library(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        with pytest.raises(Exception, match="404"):
            await ask(client)
        await settle()
        assert list_retrievals(seen) == [describe_retrieval("docs", 5, None, error__type=self.not_found)]

    async def test_query_does_not_wait_for_metadata(self, seen: Capture, client: Any, server: SearchServer) -> None:
        server.add_index("docs")
        server.may_tell.clear()
        await ask(client)
        await ask(client)
        assert list_retrievals(seen) == [describe_retrieval("docs", 5, 2, **SCORES)] * 2
        server.may_tell.set()
        await settle()

    async def test_refused_metadata_leave_the_name_of_the_hits(
        self, seen: Capture, client: Any, server: SearchServer
    ) -> None:
        server.add_index("docs-1")
        server.aliases["docs"] = ["docs-1"]
        server.status = 403
        for _ in range(3):
            await ask(client)
            await settle()
        assert [span["attributes"]["otel_agentops.index.version"] for span in list_retrievals(seen)] == ["docs-1"] * 3
        assert sum(path.startswith("GET") for path in server.paths) == 2, "one request for each name"

    async def test_questions_make_no_spans(self, seen: Capture, client: Any, server: SearchServer) -> None:
        server.add_index("docs")
        await ask(client)
        await settle()
        assert [path for path in server.paths if path.startswith("GET")] == ["GET /docs"]
        assert {span["name"] for span in seen.spans} <= {"retrieval docs", "search"}

    async def test_suppressed_and_uninstrumented_queries_pass(
        self, seen: Capture, client: Any, server: SearchServer, instrumentor: Any
    ) -> None:
        server.add_index("docs")
        with suppress_instrumentation():
            await ask(client)
        instrumentor.uninstrument()
        await ask(client)
        assert list_retrievals(seen) == []
