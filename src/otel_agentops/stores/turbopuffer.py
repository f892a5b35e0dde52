"""turbopuffer: each `query` or `multi_query` of a namespace is one retrieval, sync and async.

The object of a namespace is the resource with the name as the default of its client:
https://github.com/turbopuffer/turbopuffer-python/blob/main/src/turbopuffer/resources/namespaces.py
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, Key, describe_index, format_time
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, wrap_change, wrap_query

_SCORE = "$dist"
_BY_VECTOR = frozenset({"ANN", "kNN"})
_ORDERS = frozenset({"asc", "desc"})  # of an attribute, which ranks nothing
_CHANGES = ("delete_all", "copy_from", "branch_from")


def fetch_namespace(client: Any, name: str) -> IndexFacts:
    """Ask when a namespace was made."""
    return _describe_namespace(_leave_telemetry(client).namespace(name).metadata())


async def fetch_namespace_async(client: Any, name: str) -> IndexFacts:
    """Ask when a namespace was made."""
    return _describe_namespace(await _leave_telemetry(client).namespace(name).metadata())


def _leave_telemetry(client: Any) -> Any:
    """Return a client over the same connections that takes no part in the telemetry of this one.

    Clients of one key share their records, and the next request of any of them sends them. A question of ours would
    take those of the application, and leave one of its own. Older clients have none.
    """
    return client.with_options(telemetry=False) if getattr(client, "_telemetry", None) is not None else client


def _describe_namespace(metadata: Any) -> IndexFacts:
    """Return the facts of a namespace; one that is deleted and made anew has another time."""
    return describe_index(build_id=format_time(metadata.created_at), built_at=metadata.created_at)


def _locate(args: Arguments, kwargs: Keywords) -> Key:
    client = args[0]._client
    return str(client.base_url), str(kwargs.get("namespace") or client.default_namespace)


def read_query(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `query` or `multi_query`; None if nothing is ranked."""
    requests: Iterable[Mapping[str, Any]] = kwargs.get("queries") or (kwargs,)
    requests = [each for each in requests if _read_order(each) not in _ORDERS | {None}]
    if not requests:
        return None
    limits = {_read_limit(each) for each in requests}
    kinds = {DISTANCE if _read_order(each) in _BY_VECTOR else SIMILARITY for each in requests}
    key = _locate(args, kwargs)
    return Query(
        key[1],
        limits.pop() if len(limits) == 1 else None,
        RESOLVER.find(key, fetch, args[0]._client),
        score_kind=kinds.pop() if len(kinds) == 1 else None,
    )


def _read_limit(request: Mapping[str, Any]) -> object:
    limit = request.get("top_k") or request.get("limit")
    return limit.get("total") if isinstance(limit, Mapping) else limit


def _read_order(request: Mapping[str, Any]) -> str | None:
    """Return the word by which a query ranks, such as ANN or BM25; None if it only counts."""
    rank_by = request.get("rank_by")
    if not isinstance(rank_by, (list, tuple)) or not rank_by:
        return None
    words = [each for each in rank_by if isinstance(each, str)]
    return words[1] if len(words) > 1 else words[0] if words else None


def read_result(query: Query, result: Any) -> Found:
    """Read the rows of one query, or of several."""
    lists = [answer.rows or [] for answer in getattr(result, "results", None) or [result]]
    rows = [row for each in lists for row in each]
    return Found(
        [row.id for row in rows],
        [[row[_SCORE] for row in each if _SCORE in row] for each in lists],
        documents=functools.partial(_read_documents, query, rows),
    )


def _read_documents(query: Query, rows: Iterable[Any]) -> list[dict[str, object]]:
    name = "distance" if query.score_kind == DISTANCE else "score"
    described = []
    for row in rows:
        words = next((row[key] for key in ("content", "text") if key in row), None)
        described.append(_coerce.drop_none({"id": row.id, name: getattr(row, _SCORE, None), "content": words}))
    return described


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    place, name = _locate(args, kwargs)
    RESOLVER.renew(place, fetch, args[0]._client, name)


def _list_targets(owner: str, fetch: Fetch) -> tuple[Target, ...]:
    is_async = fetch is fetch_namespace_async
    module, renew = "turbopuffer.resources.namespaces", functools.partial(_renew, fetch)
    query = wrap_query(functools.partial(read_query, fetch), read_result, renew, is_async=is_async)
    change = wrap_change(renew, is_async=is_async)
    return (
        Target(module, owner, "query", query, ("namespace", "rank_by", "top_k")),
        Target(module, owner, "multi_query", query, ("namespace", "queries")),
        *(Target(module, owner, name, change, optional=True) for name in _CHANGES),
    )


LIBRARY = PatchedLibrary(
    "turbopuffer",
    ">=1,<4",
    (
        *_list_targets("NamespacesResource", fetch_namespace),
        *_list_targets("AsyncNamespacesResource", fetch_namespace_async),
    ),
    ClientInfo(
        operations=("`query` and `multi_query` of a namespace that rank, sync and async",),
        not_covered=("queries in the order of an attribute, and raw responses of them",),
        unknown=("documents that are written to a namespace: its version stays",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_turbopuffer`."""

    libraries = (LIBRARY,)


TurbopufferInstrumentor = Instrumentor
