"""A span processor that waits for facts in incoming baggage, and only then loads the telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from typing_extensions import override

from otel_agentops._guard import guard

_PREFIX = f"{__package__}."  # of our facts


class BaggageProcessor(SpanProcessor):
    """Adds the `ScopeProcessor` with the first span below a request that brought facts of ours.

    An entry point that waits for its library needs nothing else of the package until then.
    """

    def __init__(self, providers: Mapping[str, Any]) -> None:
        self._providers: Mapping[str, Any] | None = providers

    @override
    @guard
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        # In the current context, where the facts are read: a server attaches what it extracted before it starts a span.
        if self._providers is None or not any(name.startswith(_PREFIX) for name in baggage.get_all()):
            return
        from otel_agentops import _processor, _telemetry  # nearly the whole package, which is needed only now

        telemetry = _telemetry.install(**self._providers)
        self._providers = None
        # The processor that was added just now, if it was, is told of the next span.
        _processor.ScopeProcessor(telemetry).on_start(span, parent_context)
