"""Retrievers of LangChain: each run is one retrieval, and the query of a store inside is a part of it."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import get_current_span
from typing_extensions import override

from otel_agentops import _coerce
from otel_agentops._open_retrieval import OPEN_RETRIEVAL
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._langchain_tracers import find_tracers
from otel_agentops.helpers import retrieval
from otel_agentops.operations import Retrieval
from otel_agentops.semconv import attributes as A


class RetrieverRun(retrieval):
    """One run of a retriever, which has the name of the index that a store inside is asked for."""

    @override
    def exit_block(self, error: BaseException | None) -> None:
        observation, index = self._observation, self._stores.find_index() if self._observation is not None else None
        if observation is not None and index is not None and isinstance(observation.operation, Retrieval):
            name = index.data_source_id
            named = {A.GEN_AI_DATA_SOURCE_ID: name, A.INDEX_NAME: name}
            operation = observation.operation
            observation.operation = operation._replace(
                data_source_id=name, attributes={**operation.attributes, **named}
            )
            if (span := get_current_span()) is getattr(observation.span, "span", None):
                span.update_name(observation.operation.span_name)
        super().exit_block(error)


def read_retriever(args: Arguments, kwargs: Keywords) -> RetrieverRun | None:
    """Read the retriever; None if the run is a part of another's, or if another instrumentation makes its span."""
    if OPEN_RETRIEVAL.get() is not None or (get_default().config.mode != "own" and find_tracers()):
        return None
    instance = args[0]
    store = getattr(instance, "vectorstore", None)
    embeddings = getattr(store, "embeddings", None)
    query = args[1] if len(args) > 1 else kwargs.get("input")
    return RetrieverRun(
        getattr(instance, "name", None) or type(instance).__name__,
        top_k=(getattr(instance, "search_kwargs", None) or {}).get("k"),
        query=query if isinstance(query, str) else None,
        query_model=_find_model(embeddings),
    )


def _find_model(embeddings: Any) -> str | None:
    """Return the model of an embeddings object, which integrations call by one of two names."""
    name = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
    return _coerce.as_text(name) if isinstance(name, str) else None
