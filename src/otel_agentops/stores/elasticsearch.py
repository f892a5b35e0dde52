"""Elasticsearch: each search that ranks by vectors or by a model is one retrieval, sync and async.

All APIs of the client pass `perform_request` with the id of the endpoint and the parts of the path:
https://github.com/elastic/elasticsearch-py/blob/main/elasticsearch/_sync/client/_base.py
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import quote

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, name_place
from otel_agentops.stores._queries import Found, Query, chain_wraps, wrap_change, wrap_query
from otel_agentops.stores._search_bodies import METADATA_FILTER, Place, describe_indexes, read_hits, read_search

_SEARCHES = frozenset({"search", "knn_search"})
_CHANGES = frozenset(
    {"indices.update_aliases", "indices.put_alias", "indices.delete_alias", "indices.create", "indices.delete"}
)
_HEADERS = {"accept": "application/json"}


def fetch_index(client: Any, name: str) -> IndexFacts:
    """Ask for the indexes behind a name."""
    answer = client.perform_request("GET", f"/{quote(name, safe=',*')}", params=_PARAMS, headers=_HEADERS)
    return describe_indexes(name, answer.body)


async def fetch_index_async(client: Any, name: str) -> IndexFacts:
    """Ask for the indexes behind a name."""
    answer = await client.perform_request("GET", f"/{quote(name, safe=',*')}", params=_PARAMS, headers=_HEADERS)
    return describe_indexes(name, answer.body)


_PARAMS = {"filter_path": METADATA_FILTER}


def _locate(client: Any) -> str:
    return name_place(client._transport)


def read_request(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read a request; None if it is no retrieval."""
    if kwargs.get("endpoint_id") not in _SEARCHES:
        return None
    client = args[0]
    index = (kwargs.get("path_parts") or {}).get("index")
    return read_search(
        Place(_locate(client), fetch, client), index, kwargs.get("body"), (kwargs.get("params") or {}).get("size")
    )


def read_result(query: Query, result: Any) -> Found:
    """Read the hits of a search."""
    return read_hits(query, result.body)


def _is_change(args: Arguments, kwargs: Keywords) -> bool:
    return kwargs.get("endpoint_id") in _CHANGES


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    RESOLVER.renew(_locate(args[0]), fetch, args[0])


def _make_target(module: str, fetch: Fetch) -> Target:
    is_async = fetch is fetch_index_async
    renew = functools.partial(_renew, fetch)
    query = wrap_query(functools.partial(read_request, fetch), read_result, renew, is_async=is_async)
    change = wrap_change(renew, _is_change, is_async=is_async)
    return Target(module, "BaseClient", "perform_request", chain_wraps(query, change), ("endpoint_id", "path_parts"))


LIBRARY = PatchedLibrary(
    "elasticsearch",
    ">=8.13,<10",
    (
        _make_target("elasticsearch._sync.client._base", fetch_index),
        _make_target("elasticsearch._async.client._base", fetch_index_async),
    ),
    ClientInfo(
        operations=("searches by vectors or a model (`knn`, `retriever`, `semantic`, …), sync and async",),
        native="a span for each request, kept below ours",
        not_covered=("searches by words alone, unless a retriever or the verb `retrieval` is around", "`msearch`"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_elasticsearch`."""

    libraries = (LIBRARY,)


ElasticsearchInstrumentor = Instrumentor  # the name that others give theirs
