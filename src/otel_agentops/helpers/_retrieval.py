"""One query of an index: the version that answered, and how much was found.

The query of a store inside, which an adapter reads, is the same retrieval: it makes no span, and tells what it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import ExitStack
from uuid import UUID

from typing_extensions import override

from otel_agentops import _coerce
from otel_agentops._block import Block
from otel_agentops._guard import guard
from otel_agentops._observation import Observation
from otel_agentops._open_retrieval import OPEN_RETRIEVAL, OpenRetrieval, compare_models
from otel_agentops.helpers._observed import error_type_of, observe_block, tell_content
from otel_agentops.operations import Attributes, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A


class retrieval(Block):  # noqa: N801  a verb, used like contextlib's own
    """One query of an index; what it does not say is taken from an instrumented store that is queried inside.

    Args:
        index: The index as the application asked for it.
        version: The index that answered; None if the application does not know.
        embedding_model: The model that embedded the documents.
        built_at: When it was built, as ISO 8601.
        top_k: How many documents were asked for.
        query: The text that is searched for; it stays here unless content is recorded, see docs/content.md.
        query_model: The model that embeds the query; if it is not that of the documents, the span says so.
    """

    def __init__(
        self,
        index: str,
        *,
        version: str | None = None,
        embedding_model: str | None = None,
        built_at: str | None = None,
        top_k: int | None = None,
        query: str | None = None,
        query_model: str | None = None,
    ) -> None:
        super().__init__(
            index,
            version=version,
            embedding_model=embedding_model,
            built_at=built_at,
            top_k=top_k,
            query=query,
            query_model=query_model,
        )
        self.index = str(index)
        self.version = _coerce.as_text(version)
        self._declared = {
            A.INDEX_VERSION: version,
            A.INDEX_EMBEDDING_MODEL: embedding_model,
            A.INDEX_BUILT_AT: built_at,
            A.RETRIEVAL_EMBEDDING_MODEL: query_model,
        }
        self._top_k = top_k
        self._query = query
        self._document_count: int | None = None
        self._document_hashes: list[int] | None = None
        self._observation: Observation | None = None

    @override
    def enter_block(self, stack: ExitStack) -> None:
        self._document_count = self._document_hashes = self._observation = None
        attributes: Attributes = {
            A.INDEX_NAME: self.index,
            A.INDEX_SOURCE: "declared" if self.version else "unknown",
            **_coerce.as_texts(self._declared),
            **_coerce.drop_none({A.GEN_AI_RETRIEVAL_TOP_K: _coerce.as_integer("top_k", self._top_k)}),
        }
        compare_models(attributes)
        self._observation = observation = observe_block(stack, Retrieval(self.index, self.version, None, attributes))
        self._stores = OpenRetrieval()
        stack.callback(OPEN_RETRIEVAL.reset, OPEN_RETRIEVAL.set(self._stores))
        query = {} if self._query is None else {A.GEN_AI_RETRIEVAL_QUERY_TEXT: self._query}
        tell_content(observation.hooks.request_read, observation, query)

    @guard
    def documents(self, found: Iterable[object] | int) -> None:
        """Record the documents that were found, their ids, or only how many there were.

        The number is kept, and hashes of the ids until the task has ended: what an answer uses is compared with them,
        see `task.used`. An id is a text, a number or a UUID, or the member or attribute `id` of a document.
        """
        found = (found,) if isinstance(found, (str, bytes)) else found
        count = len(found) if isinstance(found, Sized) else _coerce.as_integer("number of documents", found)
        is_listed = isinstance(found, Sized) and isinstance(found, Iterable)
        hashes = _coerce.hash_documents(found) if is_listed else []  # type: ignore[arg-type]
        observation = self._observation
        if is_listed and observation is not None and observation.hooks.response_received:
            listed = list(map(_describe_document, found))  # type: ignore[arg-type]
            content = {A.GEN_AI_RETRIEVAL_DOCUMENTS: listed}
            tell_content(observation.hooks.response_received, observation, content)
        self._document_count = count
        # As many as there are: a table, for one, is read as its columns.
        self._document_hashes = hashes if hashes is not None and len(hashes) == count else None

    @override
    def record_result(self, result: object) -> None:
        """Record the list that a decorated function returns."""
        if self._document_count is None and isinstance(result, Sequence) and not isinstance(result, (str, bytes)):
            self.documents(result)

    @override
    def exit_block(self, error: BaseException | None) -> None:
        observation = self._observation
        if observation is None:
            return
        count, attributes = self._document_count, {}
        operation = observation.operation
        if self._stores.answers and isinstance(operation, Retrieval):
            count = self._stores.count_documents() if count is None else count
            attributes = self._stores.merge_facts(operation.attributes)
            observation.operation = operation._replace(attributes=attributes)
        observation.finish(RetrievalResult(count, self._document_hashes, attributes), error_type_of(error))


_TEXT_MEMBERS = ("content", "text", "page_content")  # in which libraries keep a document's words


def _describe_document(document: object) -> dict[str, object]:
    """Return id, score and words of a document, as far as it has them; a text or a number is an id."""

    def get(name: str) -> object:
        return document.get(name) if isinstance(document, Mapping) else getattr(document, name, None)

    if isinstance(document, (str, int, UUID)):
        return {"id": str(document)}
    text = next((text for name in _TEXT_MEMBERS if isinstance(text := get(name), str)), None)
    document_id, score = get("id"), get("score")
    members = {"id": None if document_id is None else str(document_id), "score": score, "content": text}
    return {name: value for name, value in members.items() if value is not None}
