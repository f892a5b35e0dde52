"""Milvus: each `search` or `hybrid_search` of a client is one retrieval, sync and async.

The name may be an alias. Nothing in the answer says of which collection, and the client's own cache of schemas is never
refreshed: https://github.com/milvus-io/pymilvus/blob/master/pymilvus/milvus_client/milvus_client.py
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, get_argument, wrap_change, wrap_query

_LIMIT_POSITION = 4  # the client included
_KINDS = {"COSINE": SIMILARITY, "IP": SIMILARITY, "BM25": SIMILARITY, "L2": DISTANCE, "HAMMING": DISTANCE}


def fetch_collection(client: Any, name: str) -> IndexFacts:
    """Ask for the collection behind a name, and for the metrics of its indexes."""
    described = client.describe_collection(name)
    indexes = [client.describe_index(name, index) for index in client.list_indexes(name)]
    return _describe_collection(described, name, indexes)


async def fetch_collection_async(client: Any, name: str) -> IndexFacts:
    """Ask for the collection behind a name, and for the metrics of its indexes."""
    described = await client.describe_collection(name)
    indexes = [await client.describe_index(name, index) for index in await client.list_indexes(name)]
    return _describe_collection(described, name, indexes)


def _describe_collection(described: dict[str, Any], name: str, indexes: Iterable[Any]) -> IndexFacts:
    concrete = described.get("collection_name", name)
    kinds = {_KINDS.get(str((index or {}).get("metric_type"))) for index in indexes}
    return describe_index(
        described.get("properties"),
        concrete=None if concrete == name else concrete,
        build_id=described.get("collection_id") or None,  # 0 in the engine that is embedded
        score_kind=kinds.pop() if len(kinds) == 1 else None,
    )


def read_search(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query:
    """Read the arguments of `search` or of `hybrid_search`, which have `limit` in the same place."""
    client, name = args[0], str(get_argument(args, kwargs, 1, "collection_name"))
    data = get_argument(args, kwargs, 2, "data", ())
    texts = [each for each in data or () if isinstance(each, str)]  # which the server embeds
    return Query(
        name,
        get_argument(args, kwargs, _LIMIT_POSITION, "limit", 10),
        RESOLVER.find((name_place(client), name), fetch, client),
        texts or None,
    )


def read_result(query: Query, result: Any) -> Found:
    """Read the hits of all vectors of a search."""
    lists = [list(hits) for hits in result]
    pairs = [[(getattr(hit, "id", None) or hit.get("id"), hit["distance"]) for hit in hits] for hits in lists]
    flat = [pair for each in pairs for pair in each]
    return Found(
        [hit_id for hit_id, _ in flat],
        [[score for _, score in each] for each in pairs],
        documents=lambda: [_coerce.drop_none({"id": str(hit_id), "score": score}) for hit_id, score in flat],
    )


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    """Ask anew for every name, and for a new alias before a query needs it."""
    client = args[0]
    RESOLVER.renew(name_place(client), fetch, client)
    if alias := get_argument(args, kwargs, 2, "alias"):
        RESOLVER.find((name_place(client), str(alias)), fetch, client)


_ALIASES = ("create_alias", "alter_alias")
_CHANGES = ("drop_alias", "drop_collection", "rename_collection", "create_collection")


def _renew_all(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    RESOLVER.renew(name_place(args[0]), fetch, args[0])


def _list_targets(module: str, owner: str, fetch: Fetch) -> tuple[Target, ...]:
    is_async = fetch is fetch_collection_async
    all_names = functools.partial(_renew_all, fetch)
    search = wrap_query(functools.partial(read_search, fetch), read_result, all_names, is_async=is_async)
    aliases = wrap_change(functools.partial(_renew, fetch), is_async=is_async)
    change = wrap_change(all_names, is_async=is_async)
    return (
        Target(module, owner, "search", search, ("collection_name", "data", "limit")),
        Target(module, owner, "hybrid_search", search, ("collection_name", "reqs", "limit")),
        *(Target(module, owner, name, aliases, optional=is_async) for name in _ALIASES),
        *(Target(module, owner, name, change, optional=is_async) for name in _CHANGES),
    )


LIBRARY = PatchedLibrary(
    "pymilvus",
    ">=2.6,<4",
    (
        *_list_targets("pymilvus.milvus_client.milvus_client", "MilvusClient", fetch_collection),
        *_list_targets("pymilvus.milvus_client.async_milvus_client", "AsyncMilvusClient", fetch_collection_async),
    ),
    ClientInfo(
        operations=("`search` and `hybrid_search` of `MilvusClient`, sync and async",),
        not_covered=(
            "`search_iterator`",
            "`Collection.search`, which newer versions lack",
            "`query`: it ranks nothing",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_pymilvus`."""

    libraries = (LIBRARY,)


PyMilvusInstrumentor = Instrumentor
