"""The other instrumentations of LangChain: each is a handler that is told of every run, and most keep a span for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from opentelemetry.trace import Span

from otel_agentops._wrapping import list_wrapper_modules

OFFICIAL = "opentelemetry.instrumentation.genai.langchain"
OPENLLMETRY = "opentelemetry.instrumentation.langchain"
OPENINFERENCE = "openinference.instrumentation.langchain"
LANGFUSE = "langfuse-sdk"  # the scope of its spans
_PACKAGES = (OFFICIAL, OPENLLMETRY, OPENINFERENCE)
_ReadSpan = Callable[[Any, UUID], object]

# The span that a handler keeps for a run, by its class. Of those that describe a span when it ends, or start it in the
# thread in which LangChain calls the handlers of an asynchronous run.
# https://github.com/langfuse/langfuse-python/blob/main/langfuse/langchain/CallbackHandler.py
# https://github.com/Arize-ai/openinference/blob/main/python/instrumentation/openinference-instrumentation-langchain/src/openinference/instrumentation/langchain/_tracer.py
_SPAN_READERS: Mapping[str, _ReadSpan] = {
    "langfuse.langchain.CallbackHandler.LangchainCallbackHandler": lambda handler, run_id: getattr(
        handler._runs.get(run_id), "_otel_span", None
    ),
    f"{OPENINFERENCE}._tracer.OpenInferenceTracer": lambda handler, run_id: handler._spans_by_run.get(run_id),
}


class RunManager(Protocol):
    """LangChain's manager of one run."""

    run_id: UUID
    handlers: Sequence[object]


def find_tracers() -> set[str]:
    """Return the packages that make spans of LangChain's runs: all of them wrap the same constructor."""
    from langchain_core.callbacks import BaseCallbackManager

    modules = list(list_wrapper_modules(vars(BaseCallbackManager)["__init__"]))
    return {package for package in _PACKAGES for module in modules if f"{module}.".startswith(f"{package}.")}


def keep_spans(callbacks: Any) -> bool:
    """Return True if a handler among these keeps a span for each run.

    Args:
        callbacks: Handlers, or a manager of them, as LangChain takes them; None for none.
    """
    handlers: Sequence[object] = getattr(callbacks, "handlers", callbacks) or ()
    return any(_find_reader(type(handler)) for handler in handlers)


def find_run_span(manager: RunManager) -> Span | None:
    """Return the recording span that a handler keeps for a run; None if there is none."""
    for handler in manager.handlers:
        if (read_span := _find_reader(type(handler))) is not None:
            span = read_span(handler, manager.run_id)
            span = getattr(span, "__wrapped__", span)  # processors see the span inside
            if isinstance(span, Span) and span.is_recording():
                return span
    return None


_readers: WeakKeyDictionary[type, _ReadSpan | None] = WeakKeyDictionary()


def _find_reader(kind: type) -> _ReadSpan | None:
    if kind not in _readers:
        names = (f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
        _readers[kind] = next((_SPAN_READERS[name] for name in names if name in _SPAN_READERS), None)
    return _readers[kind]
