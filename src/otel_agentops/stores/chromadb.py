"""Chroma: each `Collection.query` is one retrieval.

Patched is the collection and not the API below it, which has the id alone and neither name nor metadata:
https://github.com/chroma-core/chroma/blob/main/chromadb/api/models/Collection.py
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

from otel_agentops import _coerce, _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, Key, describe_index, name_place
from otel_agentops.stores._queries import DISTANCE, Found, Query, get_argument, wrap_change, wrap_query

_TEXTS_POSITION = 2  # of `query_texts` in `query`, the collection included
_TOP_K_POSITION = 6  # of `n_results` in `query`, the collection included
_DEFAULT_TOP_K = 10


class Collection(Protocol):
    """A collection as the application opened it, or as the server describes it; metadata is of that moment."""

    id: object
    name: str
    tenant: str
    database: str
    metadata: Mapping[str, object] | None
    configuration_json: Mapping[str, object]


class QueryResult(TypedDict):
    """The documents of each query of a batch; texts and distances are None if the query does not want them."""

    ids: Sequence[Sequence[str]]
    documents: Sequence[Sequence[str | None]] | None
    distances: Sequence[Sequence[float]] | None


def describe_collection(collection: Collection) -> IndexFacts:
    """Return the facts of a collection.

    The version is what the collection's metadata declares as `version`. Else it is the id of the collection: an index
    that is built anew is another collection with another id, also under the same name, and a handle that was opened
    before goes on with the old one, which is what the query is answered from.
    """
    function = (collection.configuration_json or {}).get("embedding_function")
    config = function.get("config") if isinstance(function, Mapping) else None
    model = config.get("model_name") if isinstance(config, Mapping) else None
    return describe_index(collection.metadata, build_id=collection.id, embedding_model=model)


def fetch_collection(place: tuple[Any, str, str], name: str) -> IndexFacts:
    """Ask the server for the collection of a name.

    place: API, tenant and database.
    """
    api, tenant, database = place
    return describe_collection(api.get_collection(name=name, tenant=tenant, database=database))


async def fetch_collection_async(place: tuple[Any, str, str], name: str) -> IndexFacts:
    """Ask the server for the collection of a name."""
    api, tenant, database = place
    return describe_collection(await api.get_collection(name=name, tenant=tenant, database=database))


def _locate(api: Any, tenant: str, database: str, name: str) -> Key:
    return f"{name_place(api)}/{tenant}/{database}", name


def read_query(fetch: Fetch, args: Arguments, kwargs: Keywords) -> Query:
    """Read the arguments of `query`.

    The handle's id says which collection answers; what the server says of that very one is newer than the handle.
    """
    collection = args[0]
    api = collection._client
    place = (api, collection.tenant, collection.database)
    newer = RESOLVER.find(_locate(*place, collection.name), fetch, place)
    texts = get_argument(args, kwargs, _TEXTS_POSITION, "query_texts")
    return Query(
        collection.name,
        get_argument(args, kwargs, _TOP_K_POSITION, "n_results", _DEFAULT_TOP_K),
        newer if newer.build_id == str(collection.id) else describe_collection(collection),
        texts,
        None if texts is None else _find_query_model(collection),
        DISTANCE,
    )


def _find_query_model(collection: Any) -> str | None:
    """Return the model by which this handle embeds texts; None if its function names none."""
    describe = getattr(getattr(collection, "_embedding_function", None), "get_config", None)
    config = describe() if describe is not None else None
    return _coerce.as_text(config.get("model_name")) if isinstance(config, Mapping) else None


def read_result(query: Query, result: QueryResult) -> Found:
    """Read the documents of all queries of the batch."""
    return Found(
        [one for of_query in result["ids"] for one in of_query],
        result.get("distances") or (),
        documents=functools.partial(_read_documents, result),
    )


def _read_documents(result: QueryResult) -> list[dict[str, object]]:
    """Read the documents of all queries: a distance is no score, for the nearest is the best."""
    documents = []
    for number, ids in enumerate(result["ids"]):
        for place, document_id in enumerate(ids):
            members = {"content": result.get("documents"), "distance": result.get("distances")}
            present_members = {name: lists[number][place] for name, lists in members.items() if lists is not None}
            documents.append({"id": document_id, **_coerce.drop_none(present_members)})
    return documents


def _renew_collection(fetch: Fetch, args: Arguments, kwargs: Keywords) -> None:
    """Ask anew for every name, after one of a collection or of a client's verbs has changed what they stand for."""
    api = args[0]._client if hasattr(args[0], "_client") else args[0]._server
    place = (api, args[0].tenant, args[0].database)
    RESOLVER.renew(_locate(*place, "")[0], fetch, place)


_PARAMETERS = ("query_embeddings", "query_texts", "ids", "n_results")


def _list_targets(module: str, owner: str, client_module: str, client: str, fetch: Fetch) -> tuple[Target, ...]:
    is_async = fetch is fetch_collection_async
    renew = functools.partial(_renew_collection, fetch)
    query = wrap_query(functools.partial(read_query, fetch), read_result, renew, is_async=is_async)
    change = wrap_change(renew, is_async=is_async)
    return (
        Target(module, owner, "query", query, _PARAMETERS),
        Target(module, owner, "modify", change),
        *(Target(client_module, client, name, change) for name in ("create_collection", "delete_collection")),
    )


LIBRARY = PatchedLibrary(
    "chromadb",
    ">=1.0.8,<2",
    (
        *_list_targets(
            "chromadb.api.models.Collection", "Collection", "chromadb.api.client", "Client", fetch_collection
        ),
        *_list_targets(
            "chromadb.api.models.AsyncCollection",
            "AsyncCollection",
            "chromadb.api.async_client",
            "AsyncClient",
            fetch_collection_async,
        ),
    ),
    ClientInfo(
        operations=("`Collection.query`, sync and async",),
        native="off unless an endpoint for it is configured; its spans are children of ours",
        not_covered=("`Collection.search`, which only the hosted service has", "`get` and `peek`: they rank nothing"),
        one_line=("a version of your own: `version` in the metadata of the collection",),
        unknown=("documents that are added to a collection: its version stays",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_chromadb`."""

    libraries = (LIBRARY,)


ChromaInstrumentor = Instrumentor  # the name that others give theirs
