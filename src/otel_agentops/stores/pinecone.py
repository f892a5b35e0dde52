"""Pinecone: each `query` or `search` of an index is one retrieval, sync and async.

An object of an index knows its host alone, so its name is kept when the client opens it. `Index.__init__` copies its
methods for `async_req`: an object that was made before its class was patched is not seen.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import Any

from otel_agentops import _coerce, _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.stores._index_resolver import RESOLVER, UNKNOWN, Fetch, IndexFacts, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, get_argument, wrap_query

_KINDS = {"cosine": SIMILARITY, "dotproduct": SIMILARITY, "euclidean": DISTANCE}

# Name of each opened index, and the client that opened it, which may ask for the tags.
_opened: weakref.WeakKeyDictionary[Any, tuple[str, weakref.ref[Any]]] = weakref.WeakKeyDictionary()


def fetch_index(client: Any, name: str) -> IndexFacts:
    """Ask for the tags of an index."""
    return _describe_index(client.indexes.describe(name))


async def fetch_index_async(client: Any, name: str) -> IndexFacts:
    """Ask for the tags of an index."""
    return _describe_index(await client.indexes.describe(name))


def _describe_index(index: Any) -> IndexFacts:
    tags = index.tags
    # A schema with several vector fields has neither one metric nor one model.
    embed, metric = getattr(index, "embed", None), getattr(index, "metric", None)
    return describe_index(
        tags.to_dict() if hasattr(tags, "to_dict") else tags,
        embedding_model=getattr(embed, "model", None),
        score_kind=_KINDS.get(str(metric)),
    )


def _begin_open(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
    return library if library.active else None


def _keep_name(fetch: Fetch, library: PatchedLibrary, index: Any, args: Arguments, kwargs: Keywords) -> None:
    """Remember the name of an index that was opened by it, and ask for its version before the first query."""
    name = get_argument(args, kwargs, 1, "name", "")
    if name:
        client = args[0]
        _opened[index] = name, weakref.ref(client)
        RESOLVER.find((name_place(client), name), fetch, client)


def read_query(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query:
    """Read the arguments of a query; a namespace may be a tenant's, and is not told."""
    index = args[0]
    name, find_client = _opened.get(index, (None, None))
    client = None if find_client is None else find_client()
    facts = UNKNOWN
    if name is None:  # opened by its host, whose first label has the name and the project
        name = str(index.host).partition("://")[2].partition(".")[0]
    elif client is not None:
        facts = RESOLVER.find((name_place(client), name), fetch, client)
    inputs, body = kwargs.get("inputs"), kwargs.get("query")
    if isinstance(body, Mapping):  # the form of older versions, with all inside
        inputs = body.get("inputs", inputs)
    text = inputs.get("text") if isinstance(inputs, Mapping) else getattr(inputs, "text", None)
    top_k = kwargs.get("top_k", body.get("top_k") if isinstance(body, Mapping) else None)
    return Query(name, top_k, facts, text)


def read_result(query: Query, result: Any) -> Found:
    """Read the matches of a query, or the hits of a search."""
    if hasattr(result, "matches"):
        pairs = [(match.id, match.score) for match in result.matches]
    else:
        pairs = [(hit.id, hit.score) for hit in result.result.hits]
    scores = [score for _, score in pairs if score is not None]
    documents = [_coerce.drop_none({"id": id, "score": score}) for id, score in pairs]
    return Found([id for id, _ in pairs], [scores], documents=lambda: documents)


_QUERIES = (("query", ("top_k",)), ("search", ("namespace",)))


def _list_targets(module: str, owner: str, fetch: Fetch) -> tuple[Target, ...]:
    query = wrap_query(functools.partial(read_query, fetch), read_result, is_async=fetch is fetch_index_async)
    return tuple(Target(module, owner, name, query, parameters) for name, parameters in _QUERIES)


def _wrap_open(fetch: Fetch) -> _patching.Wrap:
    return wrap_step(Around(_begin_open, functools.partial(_keep_name, fetch)), is_async=fetch is fetch_index_async)


LIBRARY = PatchedLibrary(
    "pinecone",
    ">=10,<11",
    (
        Target("pinecone._client", "Pinecone", "index", _wrap_open(fetch_index)),
        Target("pinecone._client", "Pinecone", "Index", _wrap_open(fetch_index)),
        Target("pinecone.async_client.pinecone", "AsyncPinecone", "index", _wrap_open(fetch_index_async)),
        *_list_targets("pinecone.index", "Index", fetch_index),
        *_list_targets("pinecone.grpc", "GrpcIndex", fetch_index),
        *_list_targets("pinecone.async_client.async_index", "AsyncIndex", fetch_index_async),
    ),
    ClientInfo(
        operations=("`query` and `search`, sync, async and by gRPC; each of `query_namespaces` is one",),
        not_covered=("documents (`index.documents`)", "indexes that were opened before us"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_pinecone`."""

    libraries = (LIBRARY,)


PineconeInstrumentor = Instrumentor  # the name that others give theirs
