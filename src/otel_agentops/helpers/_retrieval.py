"""One query of an index: which version of it answered, and how much was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from contextlib import ExitStack
from typing import Any

from opentelemetry.trace import Span, SpanKind, get_current_span
from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._guard import guard
from otel_agentops._processor import Lasting, place_below
from otel_agentops.helpers._span import error_type, start
from otel_agentops.operations import Attributes
from otel_agentops.scope import Run
from otel_agentops.semconv import attributes as A


class retrieval(Block):  # noqa: N801
    """One query of an index that nobody instruments.

    index: what the application asked for. version: the index that answered, None where it does not know. built_at:
    ISO 8601. top_k: how many documents were asked for.
    """

    def __init__(
        self,
        index: str,
        *,
        version: str | None = None,
        embedding_model: str | None = None,
        built_at: str | None = None,
        top_k: int | None = None,
    ) -> None:
        super().__init__(index, version=version, embedding_model=embedding_model, built_at=built_at, top_k=top_k)
        self.index = str(index)
        self.version = _coerce.text(version)
        self._facts = {
            A.INDEX_VERSION: version,
            A.INDEX_EMBEDDING_MODEL: embedding_model,
            A.INDEX_BUILT_AT: built_at,
        }
        self._top_k = top_k
        self._found: int | None = None
        self._ids: list[int] | None = None
        self._run: Run | None = None
        self._around: Lasting | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        scope = scopes.current()
        self._run = scope.run
        self._around = place_below(get_current_span(), scope).around if scope.run is not None else None
        self._found = self._ids = self._span = None
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "retrieval",
            A.GEN_AI_DATA_SOURCE_ID: self.index,
            A.INDEX_NAME: self.index,
            A.INDEX_SOURCE: "declared" if self.version else "unknown",
            **_coerce.texts(self._facts),
            **_coerce.present({A.GEN_AI_RETRIEVAL_TOP_K: _coerce.whole("top_k", self._top_k)}),
            **scope.facts,
        }
        self._span = start(stack, f"retrieval {self.index}", attributes, SpanKind.CLIENT)

    @guard
    def documents(self, found: Iterable[Any] | int) -> None:
        """What was found: the documents, their ids, or only how many there were.

        The number is kept, and hashes of the ids until the task has ended: what an answer uses is compared with them,
        see `task.used`. An id is a text, a number or a UUID, or the member or attribute `id` of a document.
        """
        found = (found,) if isinstance(found, (str, bytes)) else found
        self._found = len(found) if isinstance(found, Sized) else _coerce.whole("number of documents", found)
        ids = _coerce.documents(found) if isinstance(found, Sized) and isinstance(found, Iterable) else []
        # As many as there are: a table, for one, is read as its columns.
        self._ids = ids if ids is not None and len(ids) == self._found else None

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's list is what was found."""
        if self._found is None and isinstance(result, Sequence) and not isinstance(result, (str, bytes)):
            self.documents(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        if self._run is not None and error is None:
            self._run.indexes.append(f"{self.index}@{self.version or 'unknown'}")
            self._run.retrieve(self._ids)
            if self._around is not None and self._around.tool is None:
                self._around.known.append(self._ids)
        if self._span is not None:
            _telemetry.get().finish(
                self._span, _coerce.present({A.RETRIEVAL_DOCUMENT_COUNT: self._found}), error_type(error)
            )
