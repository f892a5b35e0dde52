"""A search of OpenSearch that ranks by vectors is one retrieval, with the concrete index of its hits."""

from __future__ import annotations

from search_cases import SearchCases

from otel_agentops.stores.opensearchpy import Instrumentor


class TestOpenSearch(SearchCases):
    """The cases of both, with this client."""

    not_found = "opensearchpy.exceptions.NotFoundError"

    def make_instrumentor(self) -> Instrumentor:
        return Instrumentor()
