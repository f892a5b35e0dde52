"""One query of a store: its span, or its part in the retrieval of a framework around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from typing import Any, NamedTuple

from otel_agentops import _coerce
from otel_agentops._client_call import ClientCall, active_call, begin_call
from otel_agentops._context import current_scope
from otel_agentops._endpoint import Content, ContentReader, Endpoint
from otel_agentops._guard import guard
from otel_agentops._open_retrieval import OPEN_RETRIEVAL, OpenRetrieval, compare_models
from otel_agentops._patching import Method, PatchedLibrary, Wrap
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.operations import NO_ATTRIBUTES, Attributes, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A
from otel_agentops.stores._index_resolver import UNKNOWN, IndexFacts

SIMILARITY, DISTANCE = A.RETRIEVAL_SCORE_KIND_VALUES[::-1]


class Query(NamedTuple):
    """One query as the application asked it.

    Attributes:
        name: The name of the index as the application uses it.
        top_k: How many documents it wants; None if unknown.
        facts: What is known of the build that will answer.
        text: The text that is searched for; None if the query is a vector.
        embedding_model: The model that embeds the query; None if unknown.
        score_kind: distance or similarity; None if the store does not say it.
        attributes: Further attributes.
        origin: What the adapter needs to read the result.
    """

    name: str
    top_k: object
    facts: IndexFacts = UNKNOWN
    text: object = None
    embedding_model: str | None = None
    score_kind: str | None = None
    attributes: Attributes = NO_ATTRIBUTES
    origin: Any = None

    def describe(self) -> Retrieval:
        """Return the operation."""
        facts, model = self.facts, self.embedding_model
        attributes: Attributes = {A.INDEX_NAME: self.name, **facts.as_attributes(), **self.attributes}
        if (top_k := _coerce.as_integer("top_k", self.top_k)) is not None:
            attributes[A.GEN_AI_RETRIEVAL_TOP_K] = top_k
        if model is not None:
            attributes[A.RETRIEVAL_EMBEDDING_MODEL] = model
            compare_models(attributes)
        return Retrieval(self.name, facts.version, None, attributes)


class Found(NamedTuple):
    """The documents that a query returned.

    Attributes:
        ids: Their ids, best first; None if they are not read here.
        scores: Those of each query of a batch, best first; empty if there are none.
        document_count: How many; None for the number of ids.
        answered: The indexes that answered, by concrete name, if the store says it.
        documents: Returns id, score and words of each; called only if content is recorded.
    """

    ids: Sequence[object] | None = None
    scores: Sequence[Sequence[float]] = ()
    document_count: int | None = None
    answered: Mapping[str, IndexFacts] = {}
    documents: Callable[[], list[dict[str, object]]] | None = None


class Answer(NamedTuple):
    """A query and its result."""

    query: Query
    found: Found


def summarise(answer: Answer) -> RetrievalResult:
    """Return count, hashes of ids, best and worst score, and the indexes that answered."""
    query, found = answer
    attributes: Attributes = {}
    kind = query.score_kind or query.facts.score_kind
    lists = [scores for scores in found.scores if len(scores)]
    if lists and kind is not None:
        attributes[A.RETRIEVAL_SCORE_KIND] = kind
    if len(lists) == 1:
        attributes[A.RETRIEVAL_SCORE_BEST], attributes[A.RETRIEVAL_SCORE_WORST] = (
            float(lists[0][0]),
            float(lists[0][-1]),
        )
    elif lists and kind is not None:  # how those of several queries compare is known by the kind alone
        best, worst = (min, max) if kind == DISTANCE else (max, min)
        attributes[A.RETRIEVAL_SCORE_BEST] = float(best(each[0] for each in lists))
        attributes[A.RETRIEVAL_SCORE_WORST] = float(worst(each[-1] for each in lists))
    if found.answered:
        attributes.update(_describe_answered(query, found.answered))
    ids, count = found.ids, found.document_count
    # The hashes are compared with what the task's answer uses; outside of any nobody needs them.
    hashes = _coerce.hash_documents(ids) if ids is not None and current_scope().task is not None else None
    return RetrievalResult(len(ids) if count is None and ids is not None else count, hashes, attributes)


def _describe_answered(query: Query, answered: Mapping[str, IndexFacts]) -> Attributes:
    if len(answered) == 1:
        return next(iter(answered.values())).as_attributes()
    versions = sorted(facts.version or name for name, facts in answered.items())
    return {
        A.INDEX_SOURCE: "observed",
        A.INDEX_VERSION: ",".join(versions),
        A.RETRIEVAL_INDEXES: [f"{query.name}@{version}" for version in versions],
    }


def _read_text(body: Mapping[str, object]) -> Content:
    text = body["text"]
    if text is None:
        return {}
    listed = text if isinstance(text, (list, tuple)) else [text]
    return {A.GEN_AI_RETRIEVAL_QUERY_TEXT: "\n".join(map(str, listed))} if listed else {}


def _read_documents(answer: Answer) -> Content:
    documents = answer.found.documents
    if documents is not None:
        return {A.GEN_AI_RETRIEVAL_DOCUMENTS: documents()}
    ids = answer.found.ids
    return {} if ids is None else {A.GEN_AI_RETRIEVAL_DOCUMENTS: [{"id": str(each)} for each in ids]}


def _describe_query(body: Mapping[str, object], query: Query) -> Retrieval:
    return query.describe()


ENDPOINT: Endpoint[Query] = Endpoint(
    _describe_query, summarise, reports_attempts=False, content=ContentReader(_read_text, _read_documents)
)


class InnerQuery:
    """A query that is a part of the retrieval of a framework around it: its facts go on the span of that one."""

    def __init__(self, outer: OpenRetrieval, query: Query) -> None:
        self.context = query
        self._outer = outer
        self._result: RetrievalResult | None = None

    def __enter__(self) -> InnerQuery:
        # Another client that the store uses to ask is the store's own.
        self._token: Token[OpenRetrieval | None] = OPEN_RETRIEVAL.set(OpenRetrieval())
        return self

    @guard
    def __exit__(self, *raised: object) -> None:
        OPEN_RETRIEVAL.reset(self._token)
        self._outer.answers.append((self.context.describe(), self._result))

    def attempt_started(self, body: object, query: Query) -> None:
        """Do nothing: the retrieval around has started."""

    def response_received(self, answer: Answer) -> None:
        """Keep the result for the retrieval around."""
        self._result = summarise(answer)


Read = Callable[[Arguments, Keywords], "Query | None"]
ReadResult = Callable[[Query, Any], Found]
Renew = Callable[[Arguments, Keywords], object]


def wrap_query(read: Read, read_result: ReadResult, renew: Renew | None = None, *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a method that is one query.

    Args:
        read: Positional and keyword arguments to the query; None if the method ranks nothing this time.
        read_result: The query and what the method returned to what was found.
        renew: Ask anew what the name stands for; called if the store does not find it.
        is_async: True for a coroutine function.
    """

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
        if not library.active:
            return None
        inside = active_call(Query)
        if inside is not None and inside.is_open:
            return None  # a step of the query that is observed
        if (query := read(args, kwargs)) is None:
            return None
        outer = OPEN_RETRIEVAL.get()
        return begin_call(library, ENDPOINT, query) if outer is None else InnerQuery(outer, query)

    def start(call: ClientCall[Query], args: Arguments, kwargs: Keywords) -> None:
        call.attempt_started({"text": call.context.text}, call.context)

    def receive(call: ClientCall[Query], result: object, args: Arguments, kwargs: Keywords) -> None:
        call.response_received(Answer(call.context, read_result(call.context, result)))

    def fail(call: ClientCall[Query], error: BaseException, args: Arguments, kwargs: Keywords) -> None:
        status = getattr(error, "status_code", getattr(error, "status", None))
        if renew is not None and (status == 404 or "notfound" in type(error).__name__.lower()):
            renew(args, kwargs)

    return wrap_call(Around(begin, receive, fail, start), is_async=is_async)


def wrap_change(
    renew: Renew, is_change: Callable[[Arguments, Keywords], bool] | None = None, *, is_async: bool = False
) -> Wrap:
    """Return the wrapper of a method that changes what names stand for.

    Args:
        renew: Positional and keyword arguments of the method; called when it has returned.
        is_change: False if this call of the method changes nothing; None for a method that always does.
        is_async: True for a coroutine function.
    """

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
        return library if library.active and (is_change is None or is_change(args, kwargs)) else None

    def finish(library: PatchedLibrary, result: object, args: Arguments, kwargs: Keywords) -> None:
        renew(args, kwargs)

    return wrap_step(Around(begin, finish), is_async=is_async)


def chain_wraps(outer: Wrap, inner: Wrap) -> Wrap:
    """Return one wrapper for a method through which queries pass and changes as well."""

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        return outer(inner(original, library), library)

    return wrap


def get_argument(args: Arguments, kwargs: Keywords, position: int, name: str, default: object = None) -> Any:
    """Return an argument that may be given by name or by position, the object of the method included."""
    return kwargs.get(name, args[position] if len(args) > position else default)
