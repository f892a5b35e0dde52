"""Qdrant: each `query_points`, `query_points_groups` or `query_batch_points` is one retrieval, sync and async.

The name may be an alias, and nothing in the answer says of which collection. The aliases of the whole server are one
request: https://github.com/qdrant/qdrant-client/blob/master/qdrant_client/qdrant_client.py
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._guard import try_call
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, get_argument, wrap_change, wrap_query

_REFUSALS = (401, 403)
_DISTANCES = {"Cosine": SIMILARITY, "Dot": SIMILARITY, "Euclid": DISTANCE, "Manhattan": DISTANCE}


def fetch_collection(client: Any, name: str) -> IndexFacts:
    """Ask which collection a name stands for, and for its metadata."""
    concrete = _find_concrete(client.get_aliases(), name)
    return _describe_collection(try_call(client.get_collection, concrete), name, concrete)


async def fetch_collection_async(client: Any, name: str) -> IndexFacts:
    """Ask which collection a name stands for, and for its metadata."""
    concrete = _find_concrete(await client.get_aliases(), name)
    answers = await asyncio.gather(client.get_collection(concrete), return_exceptions=True)
    return _describe_collection(answers[0], name, concrete)


def _find_concrete(answer: Any, name: str) -> str:
    return next((each.collection_name for each in answer.aliases if each.alias_name == name), name)


def _describe_collection(info: Any, name: str, concrete: str) -> IndexFacts:
    """Return the facts of a collection; servers before 1.16 keep neither metadata nor the time when it was made.

    Args:
        info: What the server says of it, or the exception that it raised instead: a key may read aliases alone.
        name: The one asked for.
        concrete: That of the collection.

    Raises:
        BaseException: The question failed, and neither a refusal nor an alias is known.
    """
    if isinstance(info, BaseException):
        if concrete == name or getattr(info, "status_code", None) not in _REFUSALS:
            raise info
        return describe_index(concrete=concrete)
    vectors = info.config.params.vectors
    each = vectors.values() if isinstance(vectors, Mapping) else [vectors]
    kinds = {_DISTANCES.get(str(getattr(one.distance, "value", one.distance))) for one in each if one is not None}
    created = getattr(info, "created_at", None)
    return describe_index(
        getattr(info.config, "metadata", None),
        concrete=None if concrete == name else concrete,
        build_id=created,
        built_at=created,
        score_kind=kinds.pop() if len(kinds) == 1 else None,
    )


def _locate(client: Any) -> str:
    return name_place(client._client)


def read_query(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `query_points` or `query_points_groups`; None if nothing is ranked."""
    query = get_argument(args, kwargs, 2, "query")
    if "query" not in kwargs and "group_by" in kwargs:
        query = args[3] if len(args) > 3 else query
    if query is None and not kwargs.get("prefetch"):
        return None  # points in the order of their ids
    return _describe(fetch, args, kwargs, query, kwargs.get("limit", 10))


def read_batch(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `query_batch_points`: several queries of one collection are one retrieval."""
    requests: Sequence[Any] = get_argument(args, kwargs, 2, "requests", ())
    limits = {getattr(request, "limit", None) for request in requests}
    return _describe(fetch, args, kwargs, None, limits.pop() if len(limits) == 1 else None)


def _describe(fetch: Fetch, args: Arguments, kwargs: Keywords, query: Any, top_k: object) -> Query:
    client, name = args[0], str(get_argument(args, kwargs, 1, "collection_name"))
    text, model = getattr(query, "text", None), getattr(query, "model", None)  # of a text that is embedded there
    is_text = isinstance(text, str)
    return Query(
        name,
        top_k,
        RESOLVER.find((_locate(client), name), fetch, client),
        text if is_text else None,
        model if is_text else None,
    )


def read_result(query: Query, result: Any) -> Found:
    """Read the points of one query, of groups or of a batch."""
    if isinstance(result, list):
        lists = [answer.points for answer in result]
    elif hasattr(result, "groups"):
        lists = [group.hits for group in result.groups]
    else:
        lists = [result.points]
    points = [point for points in lists for point in points]
    return Found(
        [point.id for point in points],
        [[point.score for point in points] for points in lists],
        documents=functools.partial(_read_documents, points),
    )


def _read_documents(points: Sequence[Any]) -> list[dict[str, object]]:
    described = []
    for point in points:
        payload = point.payload or {}
        text = next((payload[name] for name in ("document", "page_content", "text") if name in payload), None)
        described.append(_coerce.drop_none({"id": str(point.id), "score": point.score, "content": text}))
    return described


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    RESOLVER.renew(_locate(args[0]), fetch, args[0])


def _renew_aliases(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    """Ask anew for every name, and for the new ones before a query needs them."""
    _renew(fetch, args, kwargs)
    for change in get_argument(args, kwargs, 1, "change_aliases_operations", ()):
        alias = getattr(getattr(change, "create_alias", None), "alias_name", None)
        if alias is not None:
            RESOLVER.find((_locate(args[0]), alias), fetch, args[0])


_CHANGES = ("create_collection", "delete_collection", "update_collection")


def _list_targets(module: str, owner: str, fetch: Fetch) -> tuple[Target, ...]:
    is_async = fetch is fetch_collection_async
    renew, aliases = functools.partial(_renew, fetch), functools.partial(_renew_aliases, fetch)
    one, batch = (
        wrap_query(functools.partial(read, fetch), read_result, renew, is_async=is_async)
        for read in (read_query, read_batch)
    )
    change = wrap_change(renew, is_async=is_async)
    return (
        Target(module, owner, "query_points", one, ("collection_name", "query", "prefetch", "limit")),
        Target(module, owner, "query_points_groups", one, ("collection_name", "group_by", "query", "limit")),
        Target(module, owner, "query_batch_points", batch, ("collection_name", "requests")),
        Target(module, owner, "update_collection_aliases", wrap_change(aliases, is_async=is_async)),
        *(Target(module, owner, name, change) for name in _CHANGES),
    )


LIBRARY = PatchedLibrary(
    "qdrant-client",
    ">=1.12,<2",
    (
        *_list_targets("qdrant_client.qdrant_client", "QdrantClient", fetch_collection),
        *_list_targets("qdrant_client.async_qdrant_client", "AsyncQdrantClient", fetch_collection_async),
    ),
    ClientInfo(
        operations=("`query_points`, `query_points_groups` and `query_batch_points`, sync and async",),
        not_covered=(
            "`search` and `recommend`, which newer versions lack",
            "`scroll` and `retrieve`: they rank nothing",
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_qdrant_client`."""

    libraries = (LIBRARY,)


QdrantInstrumentor = Instrumentor  # the name that others give theirs
