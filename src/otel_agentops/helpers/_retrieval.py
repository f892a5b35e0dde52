"""One query of an index: which version of it answered, and how much was found."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from opentelemetry.trace import Span, SpanKind
from typing_extensions import override

from otel_agentops import _facts, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block
from otel_agentops._safe import guard
from otel_agentops.helpers._span import error_type, start
from otel_agentops.record import Attributes
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
        self.version = _facts.text(version)
        self._facts = {
            A.INDEX_VERSION: version,
            A.INDEX_EMBEDDING_MODEL: embedding_model,
            A.INDEX_BUILT_AT: built_at,
        }
        self._top_k = top_k
        self._found: int | None = None
        self._run: Run | None = None
        self._span: Span | None = None

    @override
    def enter(self, stack: ExitStack) -> None:
        scope = scopes.current()
        self._run = scope.run
        self._found = self._span = None
        attributes: Attributes = {
            A.GEN_AI_OPERATION_NAME: "retrieval",
            A.GEN_AI_DATA_SOURCE_ID: self.index,
            A.INDEX_NAME: self.index,
            A.INDEX_SOURCE: "declared" if self.version else "unknown",
            **_facts.texts(self._facts),
            **_facts.present({A.GEN_AI_RETRIEVAL_TOP_K: _facts.whole("top_k", self._top_k)}),
            **scope.facts,
        }
        self._span = start(stack, f"retrieval {self.index}", attributes, SpanKind.CLIENT)

    @guard
    def documents(self, found: Sequence[Any] | int) -> None:
        """What was found; only the number is kept."""
        self._found = len(found) if hasattr(found, "__len__") else _facts.whole("number of documents", found)

    @override
    def returned(self, result: Any) -> None:
        """A decorated function's list is what was found."""
        if self._found is None and isinstance(result, Sequence) and not isinstance(result, (str, bytes)):
            self.documents(result)

    @override
    def exit(self, error: BaseException | None) -> None:
        if self._run is not None and error is None:
            self._run.indexes.append(f"{self.index}@{self.version or 'unknown'}")
        if self._span is not None:
            _telemetry.get().finish(
                self._span, _facts.present({A.RETRIEVAL_DOCUMENT_COUNT: self._found}), error_type(error)
            )
