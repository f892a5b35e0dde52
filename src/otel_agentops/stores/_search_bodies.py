"""Bodies of searches of Elasticsearch and of OpenSearch, whose hits name the concrete index that they come from."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops import _coerce
from otel_agentops._open_retrieval import OPEN_RETRIEVAL
from otel_agentops.stores._index_resolver import RESOLVER, Fetch, IndexFacts, describe_index
from otel_agentops.stores._queries import SIMILARITY, Found, Query

# Clauses by which a search ranks by vectors, by a model or by the ranks of others. A search by words alone may be any
# page of an administration: it is a retrieval inside one.
_RANKING = ("knn", "retriever", "rank", "sub_searches")
_RANKING_QUERIES = frozenset(
    {"knn", "neural", "neural_sparse", "semantic", "sparse_vector", "text_expansion", "hybrid", "script_score"}
)
METADATA_FILTER = "*.settings.index.uuid,*.settings.index.creation_date,*.mappings._meta,*.aliases"


class Place(NamedTuple):
    """The store that a search goes to, how it is asked for an index, and by which client."""

    name: str
    fetch: Fetch
    client: Any


def read_search(place: Place, index: object, body: object, size: object = None) -> Query | None:
    """Read a search; None if it is no retrieval.

    Args:
        place: The store.
        index: The name asked for; several names are one with commas.
        body: JSON, as a mapping or as text.
        size: Number of hits, if it is not in the body.
    """
    members = _coerce.parse_json(body.decode() if isinstance(body, bytes) else body)
    if not isinstance(members, Mapping) or not index:
        return None
    query = members.get("query")
    clause = next(iter(query), "") if isinstance(query, Mapping) else ""
    is_ranking = any(name in members for name in _RANKING) or clause in _RANKING_QUERIES
    if not is_ranking and OPEN_RETRIEVAL.get() is None:
        return None
    name = ",".join(map(str, index)) if isinstance(index, (list, tuple)) else str(index)
    knn = members.get("knn")
    knn = knn[0] if isinstance(knn, list) and knn else knn
    top_k = members.get("size", size)
    if top_k is None and isinstance(knn, Mapping):
        top_k = knn.get("k")
    text, model = _find_text(clause, query)
    return Query(
        name,
        top_k,
        RESOLVER.find((place.name, name), place.fetch, place.client),
        text,
        model,
        SIMILARITY,
        origin=place,
    )


def _find_text(clause: str, query: object) -> tuple[str | None, str | None]:
    """Return the text that the server embeds, and the model by which it does; None for what the query does not say."""
    inner = query.get(clause) if isinstance(query, Mapping) else None
    if not isinstance(inner, Mapping):
        return None, None
    # `semantic` has its members at once, `neural` and `sparse_vector` below the name of a field.
    first = next(iter(inner.values()), None)
    members = first if isinstance(first, Mapping) else inner
    text = members.get("query") or members.get("query_text") or members.get("model_text")
    model = members.get("model_id") or members.get("inference_id")
    return _coerce.as_text(text), _coerce.as_text(model)


def read_hits(query: Query, body: Any) -> Found:
    """Read the hits of a search, each of which names the concrete index."""
    hits = body["hits"]["hits"]
    place: Place = query.origin
    answered = {}
    for name in dict.fromkeys(hit["_index"] for hit in hits):
        facts = RESOLVER.find((place.name, name), place.fetch, place.client)
        if facts.version is None and name != query.name:
            facts = facts._replace(version=name, source="observed")
        answered[name] = facts
    if set(answered) == {query.name}:
        answered = {}  # what is known of it is in the query
    scores = [hit["_score"] for hit in hits if hit.get("_score") is not None]
    return Found(
        [hit["_id"] for hit in hits], [scores], answered=answered, documents=functools.partial(_read_documents, hits)
    )


def _read_documents(hits: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    described = []
    for hit in hits:
        source = hit.get("_source") or {}
        text = next((source[name] for name in ("content", "text", "page_content") if name in source), None)
        described.append(_coerce.drop_none({"id": hit["_id"], "score": hit.get("_score"), "content": text}))
    return described


def describe_indexes(name: str, answer: Mapping[str, Any]) -> IndexFacts:
    """Return the facts of the index, or the one index behind an alias, from the store's answer about a name.

    An alias over several indexes has the versions of all of them.
    """
    facts = []
    for concrete, members in answer.items():
        settings = members.get("settings", {}).get("index", {})
        created = settings.get("creation_date")
        facts.append(
            describe_index(
                members.get("mappings", {}).get("_meta"),
                concrete=None if concrete == name else concrete,
                build_id=settings.get("uuid"),
                built_at=int(created) if created is not None else None,
            )
        )
    if len(facts) == 1:
        return facts[0]
    versions = ",".join(sorted(filter(None, (each.version for each in facts)))) or None
    ids = ",".join(sorted(filter(None, (each.build_id for each in facts)))) or None
    return IndexFacts(versions, "observed" if versions else "unknown", build_id=ids)
