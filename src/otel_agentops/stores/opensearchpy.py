"""OpenSearch: each search that ranks by vectors or by a model is one retrieval, sync and async.

All APIs of the client pass `perform_request` of its transport, with the path alone:
https://github.com/opensearch-project/opensearch-py/blob/main/opensearchpy/transport.py
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import quote, unquote

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, name_place
from otel_agentops.stores._queries import Query, chain_wraps, get_argument, wrap_change, wrap_query
from otel_agentops.stores._search_bodies import METADATA_FILTER, Place, describe_indexes, read_hits, read_search

_PARAMS = {"filter_path": METADATA_FILTER}


def fetch_index(transport: Any, name: str) -> IndexFacts:
    """Ask for the indexes behind a name."""
    return describe_indexes(name, transport.perform_request("GET", f"/{quote(name, safe=',*')}", params=dict(_PARAMS)))


async def fetch_index_async(transport: Any, name: str) -> IndexFacts:
    """Ask for the indexes behind a name."""
    answer = await transport.perform_request("GET", f"/{quote(name, safe=',*')}", params=dict(_PARAMS))
    return describe_indexes(name, answer)


def read_request(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read a request; None if it is no retrieval."""
    path = get_argument(args, kwargs, 2, "url", "")
    if not path.endswith("/_search") or path.count("/") != 2:
        return None
    transport = args[0]
    params, body = get_argument(args, kwargs, 3, "params"), get_argument(args, kwargs, 4, "body")
    place = Place(name_place(transport), fetch, transport)
    return read_search(place, unquote(path[1:].partition("/")[0]), body, (params or {}).get("size"))


def _is_change(args: Arguments, kwargs: Keywords) -> bool:
    method, path = get_argument(args, kwargs, 1, "method"), get_argument(args, kwargs, 2, "url", "")
    is_alias = path.endswith("/_aliases") or "/_alias/" in path
    return (method != "GET" and is_alias) or (method in ("PUT", "DELETE") and path.count("/") == 1)


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    RESOLVER.renew(name_place(args[0]), fetch, args[0])


def _make_target(module: str, owner: str, fetch: Fetch) -> Target:
    is_async = fetch is fetch_index_async
    renew = functools.partial(_renew, fetch)
    query = wrap_query(functools.partial(read_request, fetch), read_hits, renew, is_async=is_async)
    change = wrap_change(renew, _is_change, is_async=is_async)
    return Target(module, owner, "perform_request", chain_wraps(query, change), ("method", "url", "params", "body"))


LIBRARY = PatchedLibrary(
    "opensearch-py",
    ">=2.4,<4",
    (
        _make_target("opensearchpy.transport", "Transport", fetch_index),
        _make_target("opensearchpy._async.transport", "AsyncTransport", fetch_index_async),
    ),
    ClientInfo(
        operations=("searches by vectors or a model (`knn`, `neural`, `hybrid`, …), sync and async",),
        not_covered=("searches by words alone, unless a retriever or the verb `retrieval` is around", "`msearch`"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_opensearchpy`."""

    libraries = (LIBRARY,)


OpenSearchInstrumentor = Instrumentor  # the name that others give theirs
