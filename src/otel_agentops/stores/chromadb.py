"""Chroma: each `Collection.query` is one retrieval.

Patched is the collection and not the API below it, which has the id alone and neither name nor metadata:
https://github.com/chroma-core/chroma/blob/main/chromadb/api/models/Collection.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypedDict

from otel_agentops import _coerce, _patching
from otel_agentops._client_call import ClientCall, begin_call
from otel_agentops._context import current_scope
from otel_agentops._endpoint import Content, ContentReader, Endpoint
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.clients._protocols.fields import as_list
from otel_agentops.operations import Attributes, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A

_TEXTS_POSITION = 2  # of `query_texts` in `query`, the collection included
_TOP_K_POSITION = 6  # of `n_results` in `query`, the collection included
_DEFAULT_TOP_K = 10


class Collection(Protocol):
    """A collection as the application opened it; the values are those of that moment, and no request is made."""

    id: object
    name: str
    metadata: Mapping[str, object] | None
    configuration_json: Mapping[str, object]


class QueryResult(TypedDict):
    """The documents of each query of a batch; texts and distances are None if the query does not want them."""

    ids: Sequence[Sequence[str]]
    documents: Sequence[Sequence[str | None]] | None
    distances: Sequence[Sequence[float]] | None


def read_query(arguments: Mapping[str, object], collection: Collection) -> Retrieval:
    """Read the arguments of `query`.

    The version is what the collection's metadata declares as `version`. Else it is the id of the collection: an index
    that is built anew is another collection with another id, also under the same name, and a handle that was opened
    before goes on with the old one, which is what the query is answered from.
    """
    metadata = collection.metadata or {}
    declared = _coerce.as_text(metadata.get("version"))
    version = declared or str(collection.id)
    facts = {
        A.INDEX_NAME: collection.name,
        A.INDEX_VERSION: version,
        A.INDEX_SOURCE: "declared" if declared else "observed",
        A.INDEX_BUILT_AT: metadata.get("built_at"),
        A.INDEX_EMBEDDING_MODEL: metadata.get("embedding_model") or _find_embedding_model(collection),
    }
    top_k = {A.GEN_AI_RETRIEVAL_TOP_K: _coerce.as_integer("n_results", arguments["n_results"])}
    attributes: Attributes = {**_coerce.as_texts(facts), **_coerce.drop_none(top_k)}
    return Retrieval(collection.name, version, None, attributes)


def _find_embedding_model(collection: Collection) -> object:
    """Return the model of the embedding function that is kept with the collection; None if it names none."""
    function = collection.configuration_json.get("embedding_function")
    config = function.get("config") if isinstance(function, Mapping) else None
    return config.get("model_name") if isinstance(config, Mapping) else None


def read_result(result: QueryResult) -> RetrievalResult:
    """Read the documents of all queries of the batch."""
    ids = [one for of_query in result["ids"] for one in of_query]
    # The hashes are compared with what the task's answer uses; outside of any nobody needs them.
    hashes = _coerce.hash_documents(ids) if current_scope().task is not None else None
    return RetrievalResult(len(ids), hashes)


def read_query_text(arguments: Mapping[str, object]) -> Content:
    """Read the texts of a query, one a line; one by vectors alone has none."""
    texts = arguments["query_texts"]
    listed = [texts] if isinstance(texts, str) else as_list(texts)
    return {A.GEN_AI_RETRIEVAL_QUERY_TEXT: "\n".join(map(str, listed))} if listed else {}


def read_documents(result: QueryResult) -> Content:
    """Read the documents of all queries: a distance is no score, for the nearest is the best."""
    documents = []
    for number, ids in enumerate(result["ids"]):
        for place, document_id in enumerate(ids):
            members = {"content": result.get("documents"), "distance": result.get("distances")}
            present_members = {name: lists[number][place] for name, lists in members.items() if lists is not None}
            documents.append({"id": document_id, **_coerce.drop_none(present_members)})
    return {A.GEN_AI_RETRIEVAL_DOCUMENTS: documents}


ENDPOINT: Endpoint[Collection] = Endpoint(
    read_query, read_result, reports_attempts=False, content=ContentReader(read_query_text, read_documents)
)


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> ClientCall | None:
    return begin_call(library, ENDPOINT)


def _start(call: ClientCall, args: Arguments, kwargs: Keywords) -> None:
    by_position = args[_TOP_K_POSITION] if len(args) > _TOP_K_POSITION else _DEFAULT_TOP_K
    texts = kwargs.get("query_texts", args[_TEXTS_POSITION] if len(args) > _TEXTS_POSITION else None)
    call.attempt_started({"n_results": kwargs.get("n_results", by_position), "query_texts": texts}, args[0])


def _receive_result(call: ClientCall, result: QueryResult, args: Arguments, kwargs: Keywords) -> None:
    call.response_received(result)


_QUERY = Around(_begin, _receive_result, entered=_start)
_PARAMETERS = ("query_embeddings", "query_texts", "ids", "n_results")
LIBRARY = PatchedLibrary(
    "chromadb",
    ">=1.0.8,<2",
    (
        Target("chromadb.api.models.Collection", "Collection", "query", wrap_call(_QUERY), _PARAMETERS),
        Target(
            "chromadb.api.models.AsyncCollection",
            "AsyncCollection",
            "query",
            wrap_call(_QUERY, is_async=True),
            _PARAMETERS,
        ),
    ),
    ClientInfo(
        operations=("retrieval (`Collection.query`, sync and async)",),
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
