"""Retrievers of LangChain: each run is one retrieval, and the query of a store inside is a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import get_current_span
from typing_extensions import override

from otel_agentops import _coerce
from otel_agentops._foreign_spans import is_ours
from otel_agentops._open_retrieval import OPEN_RETRIEVAL
from otel_agentops._telemetry import get_default
from otel_agentops._wrapping import Arguments, Keywords
from otel_agentops.frameworks._langchain_handlers import AwaitedRun
from otel_agentops.frameworks._langchain_tracers import OFFICIAL, OPENINFERENCE, OPENLLMETRY, find_tracers, keep_spans
from otel_agentops.helpers import retrieval
from otel_agentops.operations import RETRIEVAL, Retrieval
from otel_agentops.semconv import attributes as A


class _NamedRetrieval(retrieval):
    """One retrieval, which has the name of the index that a store inside is asked for."""

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
            if (span := get_current_span()) is getattr(observation.span, "span", None) and is_ours(span):
                span.update_name(observation.operation.span_name)
        super().exit_block(error)


class RetrieverRun(AwaitedRun, _NamedRetrieval):
    """One run of a retriever."""

    operation = RETRIEVAL


def read_retriever(args: Arguments, kwargs: Keywords) -> RetrieverRun | None:
    """Read the retriever; None if the run is a part of another's, or if another instrumentation tells of it."""
    if OPEN_RETRIEVAL.get() is not None:
        return None
    is_own = get_default().config.mode == "own"
    tracers = set() if is_own else find_tracers()
    if OFFICIAL in tracers or OPENLLMETRY in tracers:  # their span says what it is when it starts
        return None
    instance = args[0]
    store = getattr(instance, "vectorstore", None)
    embeddings = getattr(store, "embeddings", None)
    query = args[1] if len(args) > 1 else kwargs.get("input")
    run = RetrieverRun(
        getattr(instance, "name", None) or type(instance).__name__,
        top_k=(getattr(instance, "search_kwargs", None) or {}).get("k"),
        query=query if isinstance(query, str) else None,
        query_model=_find_model(embeddings),
    )
    config = args[2] if len(args) > 2 else kwargs.get("config")
    run.awaits_span = not is_own and (OPENINFERENCE in tracers or keep_spans(_find_callbacks(config)))
    return run


def _find_callbacks(config: Mapping[str, Any] | None) -> Any:
    """Return the handlers of a run, which are those of the run around it if it is given none."""
    from langchain_core.runnables.config import var_child_runnable_config

    if not config or config.get("callbacks") is None:
        config = var_child_runnable_config.get()
    return None if config is None else config.get("callbacks")


def _find_model(embeddings: Any) -> str | None:
    """Return the model of an embeddings object, which integrations call by one of two names."""
    name = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
    return _coerce.as_text(name) if isinstance(name, str) else None
