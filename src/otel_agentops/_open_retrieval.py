"""The retrieval that is under way in this context: the queries of stores inside it are its own, and make no spans."""

from __future__ import annotations

from contextvars import ContextVar

from otel_agentops._guard import say_once
from otel_agentops.operations import Attributes, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A

# Facts of the query that a framework knows better than the store below it.
_OUTER_FIRST = (A.GEN_AI_RETRIEVAL_TOP_K, A.RETRIEVAL_EMBEDDING_MODEL)
_MISMATCH = (
    "index %s: queries are embedded by %s, documents by %s; build the index anew, or query it with its own model"
)


class OpenRetrieval:
    """A retrieval of a framework, or of the application, and the answers of stores inside it.

    Attributes:
        answers: What each store was asked and answered, in order; the result is None if the query failed. Branches
            only append.
    """

    __slots__ = ("answers",)

    def __init__(self) -> None:
        self.answers: list[tuple[Retrieval, RetrievalResult | None]] = []

    def find_index(self) -> Retrieval | None:
        """Return the first query inside; None if there was none."""
        return self.answers[0][0] if self.answers else None

    def count_documents(self) -> int | None:
        """Return how many documents the stores returned; None if one does not tell, or there is none."""
        counts = [None if result is None else result.document_count for _, result in self.answers]
        return sum(count for count in counts if count is not None) if counts and None not in counts else None

    def merge_facts(self, own: Attributes) -> Attributes:
        """Return the attributes of the whole: those of the first store, and what the application declared.

        Args:
            own: Attributes with which the retrieval started.
        """
        if not self.answers:
            return own
        first, result = self.answers[0]
        stored: Attributes = {**first.attributes, **({} if result is None else result.attributes)}
        if own.get(A.INDEX_SOURCE) == "declared":
            kept = own
        else:
            kept = {key: own[key] for key in (*_OUTER_FIRST, A.INDEX_NAME) if key in own}
        merged: Attributes = {**own, **stored, **kept}
        compare_models(merged)
        indexes = list(dict.fromkeys(text for pair in self.answers for text in list_indexes(*pair)))
        if len(indexes) > 1:
            merged[A.RETRIEVAL_INDEXES] = indexes
        return merged


def compare_models(attributes: Attributes) -> None:
    """Add the attribute that says if query and documents were embedded by two models, if both are known."""
    of_query, of_index = attributes.get(A.RETRIEVAL_EMBEDDING_MODEL), attributes.get(A.INDEX_EMBEDDING_MODEL)
    if of_query is None or of_index is None:
        return
    attributes[A.RETRIEVAL_EMBEDDING_MISMATCH] = of_query != of_index
    if of_query != of_index:
        name = attributes.get(A.INDEX_NAME)
        say_once(f"embedding:{name}", _MISMATCH, name, of_query, of_index)


def list_indexes(retrieval: Retrieval, result: RetrievalResult | None) -> list[str]:
    """Return each index that answered as `name@version`; none if the application's name for it is not known."""
    attributes = retrieval.attributes if result is None else {**retrieval.attributes, **result.attributes}
    several = attributes.get(A.RETRIEVAL_INDEXES)
    if isinstance(several, list):
        return several
    version = attributes.get(A.INDEX_VERSION) or retrieval.version or "unknown"
    return [f"{retrieval.data_source_id}@{version}"] if retrieval.data_source_id else []


OPEN_RETRIEVAL: ContextVar[OpenRetrieval | None] = ContextVar("otel_agentops.open_retrieval", default=None)
