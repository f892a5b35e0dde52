"""Weaviate: each search of a collection is one retrieval, sync and async.

All searches pass `grpc_search` of the connection; aliases and schemas are changed by its HTTP methods, which return an
awaitable in an async client:
https://github.com/weaviate/weaviate-python-client/blob/main/weaviate/connect/v4.py
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from otel_agentops import _coerce, _patching
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index, parse_declaration
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, get_argument, wrap_query

_BY_SCORE = ("hybrid_search", "bm25_search")
_BY_DISTANCE = ("near_text", "near_vector", "near_object", "near_image", "near_audio", "near_video")
_MORE_MEDIA = ("near_depth", "near_thermal", "near_imu")
_SEARCHES = frozenset({*_BY_SCORE, *_BY_DISTANCE, *_MORE_MEDIA})
_CHANGES = ("/aliases", "/schema")


def fetch_collection(connection: Any, name: str) -> IndexFacts:
    """Ask which collection a name stands for, and for its configuration."""
    concrete = _read_alias(connection.get(f"/aliases/{quote(name)}"), name)
    return _describe_collection(connection.get(f"/schema/{quote(concrete)}"), name, concrete)


async def fetch_collection_async(connection: Any, name: str) -> IndexFacts:
    """Ask which collection a name stands for, and for its configuration."""
    concrete = _read_alias(await connection.get(f"/aliases/{quote(name)}"), name)
    return _describe_collection(await connection.get(f"/schema/{quote(concrete)}"), name, concrete)


def _read_alias(response: Any, name: str) -> str:
    """Return the collection behind a name; servers before 1.32 have no aliases."""
    if response.status_code >= 500:
        response.raise_for_status()
    return str(response.json()["class"]) if response.status_code == 200 else name


def _describe_collection(response: Any, name: str, concrete: str) -> IndexFacts:
    response.raise_for_status()
    config = response.json()
    modules = [each.get("vectorizer") for each in (config.get("vectorConfig") or {}).values()]
    settings = [value for each in (*modules, config.get("moduleConfig")) for value in (each or {}).values()]
    models = {value.get("model") for value in settings if isinstance(value, Mapping)} - {None}
    return describe_index(
        parse_declaration(config.get("description")),
        concrete=None if concrete == name else concrete,
        embedding_model=models.pop() if len(models) == 1 else None,
    )


def read_search(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read a request; None if it lists objects and ranks nothing."""
    connection, request = args[0], get_argument(args, kwargs, 1, "request")
    parts = {field.name: value for field, value in request.ListFields() if field.name in _SEARCHES}
    if not parts:
        return None
    kind, search = next(iter(parts.items()))
    text = getattr(search, "query", None)
    return Query(
        request.collection,
        request.limit or None,
        RESOLVER.find((connection.url, request.collection), fetch, connection),
        text if text is None or isinstance(text, str) else list(text),
        score_kind=SIMILARITY if kind in _BY_SCORE else DISTANCE,
    )


def read_reply(query: Query, reply: Any) -> Found:
    """Read the objects, each of which may name the collection that it comes from."""
    objects = list(reply.results) or [each for group in reply.group_by_results for each in group.objects]
    name = "score" if query.score_kind == SIMILARITY else "distance"
    scored = [each.metadata for each in objects if getattr(each.metadata, f"{name}_present")]
    answered = {each.properties.target_collection for each in objects} - {"", query.name}
    facts = {each: query.facts._replace(version=each, source="observed") for each in answered}
    return Found(
        [each.metadata.id for each in objects],
        [[getattr(metadata, name) for metadata in scored]],
        answered={} if query.facts.version is not None else facts,
        documents=functools.partial(_read_documents, name, objects),
    )


def _read_documents(name: str, objects: Sequence[Any]) -> list[dict[str, object]]:
    described = []
    for each in objects:
        fields = each.properties.non_ref_props.fields
        words = next((fields[key].text_value for key in ("content", "text") if key in fields), None)
        score = getattr(each.metadata, name) if getattr(each.metadata, f"{name}_present") else None
        described.append(_coerce.drop_none({"id": each.metadata.id, name: score, "content": words}))
    return described


def _begin_change(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
    path = str(get_argument(args, kwargs, 1, "path", ""))
    return library if library.active and path.startswith(_CHANGES) else None


def _finish_change(library: PatchedLibrary, result: Any, args: Arguments, kwargs: Keywords) -> Any:
    """Ask anew for every name once the server has answered."""
    connection = args[0]
    if inspect.isawaitable(result):
        return _renew_later(result, connection)
    RESOLVER.renew(connection.url, fetch_collection, connection)
    return None


async def _renew_later(result: Awaitable[Any], connection: Any) -> Any:
    answer = await result
    _renew_guarded(connection.url, fetch_collection_async, connection)
    return answer


_renew_guarded = guard(RESOLVER.renew)


def _make_search(owner: str, fetch: Fetch) -> Target:
    query = wrap_query(functools.partial(read_search, fetch), read_reply, is_async=fetch is fetch_collection_async)
    return Target("weaviate.connect.v4", owner, "grpc_search", query, ("request",))


LIBRARY = PatchedLibrary(
    "weaviate-client",
    ">=4.16,<5",
    (
        _make_search("ConnectionSync", fetch_collection),
        _make_search("ConnectionAsync", fetch_collection_async),
        *(
            Target("weaviate.connect.v4", "_ConnectionBase", name, wrap_step(Around(_begin_change, _finish_change)))
            for name in ("post", "put", "delete")
        ),
    ),
    ClientInfo(
        operations=("`near_…`, `hybrid` and `bm25` of a collection, also those of `generate`, sync and async",),
        not_covered=("`fetch_objects`: it ranks nothing", "GraphQL and aggregations"),
        one_line=("a version of your own: `version=7` in the description of the collection",),
        unknown=("a collection that is made anew under its own name",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_weaviate`."""

    libraries = (LIBRARY,)


WeaviateInstrumentor = Instrumentor  # the name that others give theirs
