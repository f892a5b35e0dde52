"""The entry points: each waits until its library is about to be imported, and only then imports its adapter.

`opentelemetry-instrument` loads every entry point in every program, whatever is installed. So an entry point is a name
and the packages that it waits for (`_adapters`); the adapter, the sinks and the rest come with the library.
"""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Iterable
from typing import Any

import wrapt
from opentelemetry import trace

from otel_agentops import _config
from otel_agentops._adapters import ADAPTERS
from otel_agentops._guard import guard

PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")

# The providers for each adapter that will be instrumented when it is imported, by its module.
waiting: dict[str, dict[str, Any]] = {}
_watched_providers: weakref.WeakSet[Any] = weakref.WeakSet()


class EntryPoint:
    """An instrumentor that imports its adapter with the adapter's library.

    Loaders call what they load, so an entry point returns itself.
    """

    def __init__(self, adapter: str, packages: Iterable[str]) -> None:
        self.adapter = f"{__package__}.{adapter}"
        self._packages = tuple(packages)

    def __call__(self) -> EntryPoint:
        return self

    @property
    def libraries(self) -> tuple[Any, ...]:
        """Import the adapter and return the libraries that it patches."""
        libraries: tuple[Any, ...] = importlib.import_module(self.adapter).Instrumentor.libraries
        return libraries

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Return True if the libraries are patched, or will be when they are imported."""
        instrumentor = self._find_instrumentor()
        return self.adapter in waiting if instrumentor is None else instrumentor.is_instrumented_by_opentelemetry

    @guard
    def instrument(self, **kwargs: Any) -> None:
        """Patch the libraries if they are imported, else as soon as they are; no library is imported for it."""
        _config.warn_of_unknown_variables()
        if (instrumentor := self._find_instrumentor()) is not None:
            instrumentor.instrument(**kwargs)
            return
        waiting[self.adapter] = providers = {name: kwargs.get(name) for name in PROVIDERS}
        if sys.modules.keys() & set(self._packages):
            importlib.import_module(self.adapter)
            return
        _FINDER.adapters.update(dict.fromkeys(self._packages, self.adapter))
        if _FINDER not in sys.meta_path:
            # Before wrapt's finder, which is then asked for the same module when the adapter has registered its hooks.
            wrapt.register_post_import_hook(id, __name__)
            sys.meta_path.insert(0, _FINDER)
        _watch_baggage(providers)

    @guard
    def uninstrument(self, **kwargs: Any) -> None:
        """Put every original back; a library that is imported from now on is left alone."""
        waiting.pop(self.adapter, None)
        if (instrumentor := self._find_instrumentor()) is not None:
            instrumentor.uninstrument(**kwargs)

    def _find_instrumentor(self) -> Any:
        """Return the instrumentor of the adapter; None if nobody has imported the adapter yet."""
        return getattr(sys.modules.get(self.adapter), "Instrumentor", lambda: None)()


class _AdapterFinder:
    """A finder that finds nothing: it imports an adapter before the library that the adapter patches."""

    def __init__(self) -> None:
        self.adapters: dict[str, str] = {}  # by package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Import the adapter that waits for a package."""
        if (adapter := self.adapters.pop(name, None)) is not None:
            _import_adapter(adapter)


_FINDER = _AdapterFinder()


@guard
def _import_adapter(adapter: str) -> None:
    if adapter in waiting:
        importlib.import_module(adapter)  # and that instruments it: see `_patching.Instrumentor`


def _watch_baggage(providers: dict[str, Any]) -> None:
    """Stamp the facts of incoming requests on spans of others although no library of ours is imported."""
    provider = providers["tracer_provider"] or trace.get_tracer_provider()
    if hasattr(provider, "add_span_processor") and provider not in _watched_providers:
        from otel_agentops._baggage_processor import BaggageProcessor  # the SDK, which such a provider has imported
        from otel_agentops._span_processors import add_span_processor

        _watched_providers.add(provider)
        add_span_processor(provider, BaggageProcessor(providers))


def __getattr__(name: str) -> EntryPoint:
    """Return the entry point of an adapter, the same object each time."""
    if name not in ADAPTERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    entry: EntryPoint = globals().setdefault(name, EntryPoint(*ADAPTERS[name]))
    return entry
