"""The least that telemetry of a call costs: one span of 26 attributes and three measurements, nothing read or decided.

It is what the OpenTelemetry SDK takes for signals of the size that a typical call has, at the place where they are
made. No instrumentation that sends as much can be below it.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind, set_span_in_context

_ASKED: dict[str, Any] = {
    **{f"floor.asked.text.{n}": "a value of some length" for n in range(9)},
    **{f"floor.asked.number.{n}": 0.5 for n in range(4)},
    "floor.asked.port": 443,
    "floor.asked.names": [f"lookup_{n}@0123456789abcdef" for n in range(5)],
}
_ANSWERED: dict[str, Any] = {
    **{f"floor.answered.text.{n}": "a value of some length" for n in range(4)},
    **{f"floor.answered.count.{n}": 812 for n in range(5)},
    "floor.answered.reasons": ["stop"],
    "floor.answered.statuses": [200],
}
_LABELS: dict[str, Any] = {**{f"floor.label.{n}": "a value" for n in range(5)}, "floor.label.port": 443}
_SECONDS = [0.01 * 2**n for n in range(14)]
_TOKENS = [4**n for n in range(14)]


class Floor:
    """Patches a client's request methods to make the signals around each call."""

    def __init__(self, client: str) -> None:
        self._base = importlib.import_module(f"{client}._base_client")
        self._tracer = trace.get_tracer("floor")
        meter = metrics.get_meter("floor")
        self._duration = meter.create_histogram("floor.duration", "s", explicit_bucket_boundaries_advisory=_SECONDS)
        self._tokens = meter.create_histogram("floor.tokens", "1", explicit_bucket_boundaries_advisory=_TOKENS)

    def instrument(self, skip_dep_check: bool = True) -> None:
        self._base.SyncAPIClient.request = self._sync(self._base.SyncAPIClient.request)
        self._base.AsyncAPIClient.request = self._async(self._base.AsyncAPIClient.request)

    def _begin(self) -> tuple[Span, Any]:
        span = self._tracer.start_span("floor", kind=SpanKind.CLIENT, attributes=_ASKED)
        return span, context.attach(set_span_in_context(span))

    def _end(self, span: Span, token: Any, started: float) -> None:
        context.detach(token)
        span.set_attributes(_ANSWERED)
        here = set_span_in_context(span)
        self._tokens.record(812, {**_LABELS, "floor.kind": "input"}, here)
        self._tokens.record(64, {**_LABELS, "floor.kind": "output"}, here)
        self._duration.record(time.time() - started, _LABELS, here)
        span.end()

    def _sync(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def request(*args: Any, **kwargs: Any) -> Any:
            started = time.time()
            span, token = self._begin()
            try:
                return original(*args, **kwargs)
            finally:
                self._end(span, token, started)

        return request

    def _async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def request(*args: Any, **kwargs: Any) -> Any:
            started = time.time()
            span, token = self._begin()
            try:
                return await original(*args, **kwargs)
            finally:
                self._end(span, token, started)

        return request


openai = functools.partial(Floor, "openai")
anthropic = functools.partial(Floor, "anthropic")
