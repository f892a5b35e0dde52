"""A search of Elasticsearch that ranks by vectors is one retrieval, with the concrete index of its hits."""

from __future__ import annotations

from search_cases import SearchCases

from otel_agentops.stores.elasticsearch import Instrumentor


class TestElasticsearch(SearchCases):
    """The cases of both, with this client."""

    not_found = "elasticsearch.NotFoundError"

    def make_instrumentor(self) -> Instrumentor:
        return Instrumentor()
