"""LanceDB: each vector, text or hybrid query is one retrieval, sync and async.

`search` only builds a query. `to_list`, `to_pandas` and `to_polars` pass `to_arrow`. The sync client runs its queries
as async ones on an event loop of its own:
https://github.com/lancedb/lancedb/blob/main/python/python/lancedb/query.py
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, Key, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, wrap_query

_DEFAULT_LIMIT = 10
_VECTOR_QUERIES = frozenset({"LanceVectorQueryBuilder", "AsyncVectorQuery"})  # the others rank by similarity
_SCORES = {"_relevance_score": "score", "_distance": "distance", "_score": "score"}  # the first one is the order
_IDS = ("id", "_rowid")
_WORDS = ("text", "content", "page_content")

# Place of each open table. Sync tables are kept by the async one inside, through which they are opened.
_places: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
# Halves of hybrid queries, which the sync client runs in threads without the context.
_halves: weakref.WeakSet[Any] = weakref.WeakSet()


def fetch_table(table: Any, name: str) -> IndexFacts:
    """Ask for the version that a table is at, and for its schema."""
    return _describe_table(table.version, table.schema)


async def fetch_table_async(table: Any, name: str) -> IndexFacts:
    """Ask for the version that a table is at, and for its schema."""
    return _describe_table(await table.version(), await table.schema())


def _describe_table(number: int, schema: Any) -> IndexFacts:
    """Return the facts of a table; a tag is an alias, behind which is a number."""
    metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    functions = _coerce.parse_json(metadata.get("embedding_functions"))
    models = {each["model"].get("name") for each in functions} if isinstance(functions, list) else {None}
    return describe_index(metadata, build_id=f"v{number}", embedding_model=models.pop() if len(models) == 1 else None)


def _locate(table: Any) -> Key:
    inner = getattr(table, "_table", table)
    return _places.get(inner) or name_place(inner), table.name


def _is_of_sync_client() -> bool:
    """Return True on the event loop on which the sync client runs its queries."""
    from lancedb.background_loop import LOOP

    return asyncio.get_running_loop() is LOOP.loop


def read_query(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query | None:
    """Read a query that is about to run; None if it ranks nothing, or is a half of another one."""
    builder = args[0]
    kind = type(builder).__name__
    if builder in _halves or not hasattr(builder, "_reranker"):
        return None
    table = builder._table
    if fetch is fetch_table_async and _is_of_sync_client():
        return None
    if fetch is fetch_table:
        limit, text = builder._limit, builder._text or getattr(builder, "_str_query", None) or builder._query
    else:
        inner = builder._inner
        limit = inner.get_limit() if hasattr(inner, "get_limit") else inner.to_query_request().limit
        text = builder.get_query() if hasattr(builder, "get_query") else None
    return Query(
        table.name,
        limit or _DEFAULT_LIMIT,
        RESOLVER.find(_locate(table), fetch, table),
        text if isinstance(text, str) else None,
        score_kind=DISTANCE if kind in _VECTOR_QUERIES and builder._reranker is None else SIMILARITY,
    )


def read_result(query: Query, result: Any) -> Found:
    """Read a table of documents; of a reader, which is read later, nothing is known."""
    if not hasattr(result, "num_rows"):
        return Found()
    columns = result.column_names
    score_name = next((name for name in _SCORES if name in columns), None)
    scores = [] if score_name is None else result.column(score_name).to_pylist()
    lists: dict[object, list[float]] = {}
    numbers = result.column("query_index").to_pylist() if "query_index" in columns else [0] * len(scores)
    for number, score in zip(numbers, scores, strict=False):
        lists.setdefault(number, []).append(score)
    id_name = next((name for name in _IDS if name in columns), None)
    return Found(
        None if id_name is None else result.column(id_name).to_pylist(),
        list(lists.values()),
        result.num_rows,
        documents=functools.partial(
            _read_documents, result, {id_name: "id", score_name: _SCORES.get(score_name or "")}
        ),
    )


def _read_documents(result: Any, names: Mapping[str | None, str | None]) -> list[dict[str, object]]:
    words = next((name for name in _WORDS if name in result.column_names), None)
    wanted = {name: ours for name, ours in {**names, words: "content"}.items() if name is not None}
    rows = result.select(list(wanted)).to_pylist()
    return [_coerce.drop_none({str(wanted[name]): value for name, value in row.items()}) for row in rows]


def _begin_step(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
    return library if library.active else None


def _keep_halves(library: PatchedLibrary, result: object, args: Arguments, kwargs: Keywords) -> None:
    _halves.update((args[0]._vector_query, args[0]._fts_query))


def _keep_table(library: PatchedLibrary, table: Any, args: Arguments, kwargs: Keywords) -> None:
    """Remember where a table was opened, and ask for its version before the first query."""
    connection = args[0]
    uri = getattr(connection, "uri", None)
    place = name_place(connection) if uri is None or uri.startswith("memory") else str(uri)
    if not (kwargs.get("version") or kwargs.get("branch")):  # those stay at a version of their own
        _places[table] = "/".join((place, *(kwargs.get("namespace_path") or ())))
    RESOLVER.find(_locate(table), fetch_table_async, table)


def _renew_table(library: PatchedLibrary, table: Any, args: Arguments, kwargs: Keywords) -> None:
    """Ask anew what the name of a table stands for that was made, maybe in place of another."""
    _keep_table(library, table, args, kwargs)
    place, name = _locate(table)
    RESOLVER.renew(place, fetch_table_async, table, name)


def _move_table(library: PatchedLibrary, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Ask for the version of a table that has another one now than others of its name."""
    table = args[0]
    _places.pop(table, None)
    place, name = _locate(table)
    RESOLVER.renew(place, fetch_table_async, table, name)
    RESOLVER.find((place, name), fetch_table_async, table)


def _list_targets(fetch: Fetch, *methods: tuple[str, str]) -> tuple[Target, ...]:
    query = wrap_query(functools.partial(read_query, fetch), read_result, is_async=fetch is fetch_table_async)
    return tuple(Target("lancedb.query", owner, name, query) for owner, name in methods)


def _make_step(module: str, owner: str, name: str, returned: Callable[..., object]) -> Target:
    return Target(module, owner, name, wrap_step(Around(_begin_step, returned), is_async=True))


LIBRARY = PatchedLibrary(
    "lancedb",
    ">=0.34,<1",
    (
        *_list_targets(
            fetch_table,
            ("LanceVectorQueryBuilder", "to_arrow"),
            ("LanceVectorQueryBuilder", "to_batches"),
            ("LanceFtsQueryBuilder", "to_arrow"),
            ("LanceHybridQueryBuilder", "to_arrow"),
        ),
        *_list_targets(
            fetch_table_async,
            ("AsyncQueryBase", "to_arrow"),
            ("AsyncVectorQuery", "to_batches"),
            ("AsyncFTSQuery", "to_batches"),
            ("AsyncHybridQuery", "to_batches"),
        ),
        Target(
            "lancedb.query",
            "LanceHybridQueryBuilder",
            "_create_query_builders",
            wrap_step(Around(_begin_step, _keep_halves)),
        ),
        _make_step("lancedb.db", "AsyncConnection", "open_table", _keep_table),
        _make_step("lancedb.db", "AsyncConnection", "create_table", _renew_table),
        *(
            _make_step("lancedb.table", "AsyncTable", name, _move_table)
            for name in ("checkout", "checkout_latest", "restore")
        ),
    ),
    ClientInfo(
        operations=("vector, text and hybrid queries, sync and async",),
        not_covered=("plain scans and `take`: they rank nothing",),
        one_line=("a version of your own: `version` in the metadata of the schema",),
        unknown=("documents and scores of `to_batches`, which are read later", "when the version was built"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_lancedb`."""

    libraries = (LIBRARY,)


LanceDBInstrumentor = Instrumentor  # the name that others give theirs
