"""A span processor that waits for facts in incoming baggage, and only then loads the telemetry."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from typing_extensions import override

from otel_agentops._guard import guard

_TELEMETRY = "otel_agentops._telemetry"


class BaggageProcessor(SpanProcessor):
    """Adds the `ScopeProcessor` with the first span below a request that brought facts of ours.

    An entry point that waits for its library needs nothing else of the package until then.
    """

    def __init__(self, providers: Mapping[str, Any]) -> None:
        self._providers = providers

    @override
    @guard
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        # In the current context, where the facts are read: a server attaches what it extracted before it starts a span.
        if _TELEMETRY in sys.modules or not any(name.startswith("otel_agentops.") for name in baggage.get_all()):
            return
        telemetry = importlib.import_module(_TELEMETRY).install(**self._providers)
        # The processor that was added just now is told of the next span.
        importlib.import_module("otel_agentops._processor").ScopeProcessor(telemetry).on_start(span, parent_context)
