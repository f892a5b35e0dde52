"""Redis: each `FT.SEARCH` or `FT.AGGREGATE` that ranks by vectors is one retrieval, sync and async.

The queries of redisvl pass the same methods:
https://github.com/redis/redis-py/blob/master/redis/commands/search/commands.py
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._open_retrieval import OPEN_RETRIEVAL
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, Found, Query, get_argument, wrap_change, wrap_query

# `*=>[KNN 3 @vector $blob AS score]`, or a range with `=>{$YIELD_DISTANCE_AS: score}`.
_KNN = re.compile(
    r"=>\s*\[\s*KNN\s+(?P<count>\$?\w+)\s+@(?P<field>\w+)(?:[^\]]*?\bAS\s+(?P<score>\w+))?", re.IGNORECASE
)
_RANGE = re.compile(r"@\w+\s*:\s*\[\s*VECTOR_RANGE\b", re.IGNORECASE)
_YIELD = re.compile(r"\$YIELD_DISTANCE_AS\s*:\s*(\w+)", re.IGNORECASE)
_WORDS = ("content", "text", "page_content")
_ALIASES = ("aliasadd", "aliasupdate")
_CHANGES = ("aliasdel", "create_index", "dropindex")


def fetch_index(client: Any, name: str) -> IndexFacts:
    """Ask for the index behind a name."""
    return _describe_index(client.ft(name).info(), name)


async def fetch_index_async(client: Any, name: str) -> IndexFacts:
    """Ask for the index behind a name."""
    return _describe_index(await client.ft(name).info(), name)


def _describe_index(info: Mapping[Any, Any], name: str) -> IndexFacts:
    concrete = _decode(info.get("index_name", info.get(b"index_name")))
    return describe_index(concrete=None if concrete == name else _coerce.as_text(concrete))


def _decode(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _locate(client: Any) -> str:
    """Return the place of a client; programs make several clients of one server."""
    settings = getattr(getattr(client, "connection_pool", None), "connection_kwargs", None)
    if settings is None:  # of a cluster
        return name_place(client)
    address = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    return f"{address}/{settings.get('db') or 0}"


def read_search(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read the arguments of `search` or `aggregate`; None if it is no retrieval, or is sent later with others."""
    commands = args[0]
    client = getattr(commands, "client", commands)
    query = get_argument(args, kwargs, 1, "query")
    text = getattr(query, "_query_string", getattr(query, "_query", query))
    if not isinstance(text, str) or hasattr(client, "command_stack"):
        return None
    knn = _KNN.search(text)
    if knn is None and _RANGE.search(text) is None and OPEN_RETRIEVAL.get() is None:
        return None
    top_k: object = getattr(query, "_num", None)
    score = _YIELD.search(text)
    score_name = score[1] if score else None
    if knn is not None:
        top_k = knn["count"]
        if knn["count"].startswith("$"):
            top_k = (get_argument(args, kwargs, 2, "query_params") or {}).get(knn["count"][1:])
        score_name = knn["score"] or score_name or f"__{knn['field']}_score"
    name = str(commands.index_name)
    return Query(
        name,
        None if top_k is None else int(str(top_k)),
        RESOLVER.find((_locate(client), name), fetch, client),
        score_kind=DISTANCE,
        origin=score_name,
    )


def read_result(query: Query, result: Any) -> Found:
    """Read the documents of a search, or the rows of an aggregation."""
    documents = _list_documents(result)
    scores = [float(document[query.origin]) for document in documents if query.origin in document]
    return Found(
        [_decode(document["id"]) for document in documents if "id" in document] or None,
        [scores],
        len(documents),
        documents=functools.partial(_read_documents, documents, query.origin),
    )


def _list_documents(result: Any) -> list[dict[str, Any]]:
    """Return the members of each document; an answer of the third protocol may be as the server wrote it."""
    if isinstance(result, Mapping):
        rows = [_decode_keys(row) for row in _decode_keys(result)["results"]]
        return [{**row, **_decode_keys(row.get("extra_attributes") or {})} for row in rows]
    if hasattr(result, "rows"):
        return [_decode_keys(dict(zip(row[::2], row[1::2], strict=True))) for row in result.rows]
    return [vars(document) for document in result.docs]


def _decode_keys(members: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(_decode(key)): value for key, value in members.items()}


def _read_documents(documents: list[dict[str, Any]], score_name: str) -> list[dict[str, object]]:
    described = []
    for document in documents:
        words = next((_decode(document[name]) for name in _WORDS if name in document), None)
        distance = float(document[score_name]) if score_name in document else None
        members = {"id": _decode(document.get("id")), "distance": distance, "content": words}
        described.append(_coerce.drop_none(members))
    return described


def _renew(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    client = getattr(args[0], "client", args[0])
    RESOLVER.renew(_locate(client), fetch, client)


def _renew_alias(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    """Ask anew for every name, and for a new alias before a query needs it."""
    _renew(fetch, args, kwargs)
    client, alias = getattr(args[0], "client", args[0]), get_argument(args, kwargs, 1, "alias")
    RESOLVER.find((_locate(client), str(alias)), fetch, client)


def _list_targets(owner: str, fetch: Fetch) -> tuple[Target, ...]:
    is_async = fetch is fetch_index_async
    query = wrap_query(functools.partial(read_search, fetch), read_result, is_async=is_async)
    aliases = wrap_change(functools.partial(_renew_alias, fetch), is_async=is_async)
    change = wrap_change(functools.partial(_renew, fetch), is_async=is_async)
    module = "redis.commands.search.commands"
    return (
        *(Target(module, owner, name, query, ("query", "query_params")) for name in ("search", "aggregate")),
        *(Target(module, owner, name, aliases, ("alias",)) for name in _ALIASES),
        *(Target(module, owner, name, change) for name in _CHANGES),
    )


LIBRARY = PatchedLibrary(
    "redis",
    ">=5,<9",
    (
        # The async class inherits most methods of the other, so that it is patched before that.
        *_list_targets("AsyncSearchCommands", fetch_index_async),
        *_list_targets("SearchCommands", fetch_index),
    ),
    ClientInfo(
        operations=(
            "`search` and `aggregate` of an index by KNN or a range of vectors, sync and async; those of redisvl, too",
        ),
        not_covered=(
            "searches by words alone, unless a retriever or the verb `retrieval` is around",
            "pipelines, `hybrid_search`, and commands that are sent by `execute_command`",
        ),
        unknown=("an index that is built anew under its own name: give builds names of their own and an alias",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_redis`."""

    libraries = (LIBRARY,)


RedisInstrumentor = Instrumentor  # the name that others give theirs
