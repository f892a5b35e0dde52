"""Limits of providers, from responses that pass anyway: what is left of them, and whether a wait was kept to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from opentelemetry.metrics import CallbackOptions, Meter
from opentelemetry.metrics import Observation as Measurement

from otel_agentops._guard import guard
from otel_agentops.operations import Attributes, ClientOperation
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M

_MAX_MODELS = 256  # of which the last response, or a wait, is kept
_OLDEST_NS = 300 * 1_000_000_000  # of a response that says what is left: most limits are those of a minute
_TOLERANCE_S = 0.01  # a wait ends when the client has read the header, a moment before us
# By header, with `limit` or `remaining` in it, what is counted.
_KINDS = {
    # https://platform.openai.com/docs/guides/rate-limits, https://console.groq.com/docs/rate-limits and many others
    "x-ratelimit-{}-requests": "requests",
    "x-ratelimit-{}-tokens": "tokens",
    # https://docs.fireworks.ai/serverless/rate-limits
    "x-ratelimit-{}-tokens-prompt": "input_tokens",
    "x-ratelimit-{}-tokens-cache-adjusted-prompt": "uncached_input_tokens",
    "x-ratelimit-{}-tokens-generated": "output_tokens",
    # https://docs.together.ai/docs/rate-limits
    "x-ratelimit-{}": "requests",
    "x-tokenlimit-{}": "tokens",
    # Mistral: https://github.com/mistralai/client-ts/issues/169
    "x-ratelimit-{}-req-minute": "requests",
    "x-ratelimit-{}-tokens-minute": "tokens",
    # Cohere sends these for trial keys alone.
    "x-trial-endpoint-call-{}": "requests",
    # https://docs.claude.com/en/api/rate-limits
    "anthropic-ratelimit-requests-{}": "requests",
    "anthropic-ratelimit-tokens-{}": "tokens",
    "anthropic-ratelimit-input-tokens-{}": "input_tokens",
    "anthropic-ratelimit-output-tokens-{}": "output_tokens",
}
_HEADERS = {name.format(member): (member, kind) for name, kind in _KINDS.items() for member in ("limit", "remaining")}
# watsonx.ai: its SDK reads these two (`rate_limited_retry_decorator.py`).
_HEADERS |= {"x-requests-limit-rate": ("limit", "requests"), "x-requests-limit-remaining": ("remaining", "requests")}
Endpoint: TypeAlias = "tuple[str | None, str | None]"  # provider and model


class RateLimits:
    """The last response of each model, whose headers are read when metrics are collected, and gauges of what they say.

    Attributes:
        recent: Provider, model, headers and start of the call (ns since the epoch) of the responses since then: a call
            only appends to it.
        last: By provider and model, the headers of the last response and the start of its call.
    """

    def __init__(self, meter: Meter) -> None:
        self.recent: deque[tuple[str | None, str | None, Mapping[str, str], int]] = deque(maxlen=_MAX_MODELS)
        self.last: dict[Endpoint, tuple[Mapping[str, str], int]] = {}
        for name, member in ((M.RATE_LIMIT_REMAINING, "remaining"), (M.RATE_LIMIT_LIMIT, "limit")):
            self._create_gauge(meter, name, member)

    def _create_gauge(self, meter: Meter, name: str, member: str) -> None:
        def observe(_: CallbackOptions) -> Iterable[Measurement]:
            return guard(self._measure)(member) or ()

        metric = M.METRICS[name]
        meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.brief)

    def _measure(self, member: str) -> list[Measurement]:
        measurements = []
        while self.recent:
            provider, model, headers, started_ns = self.recent.popleft()
            if len(self.last) >= _MAX_MODELS:
                self.last.clear()
            self.last[provider, model] = headers, started_ns
        youngest_ns = time.time_ns() - _OLDEST_NS
        for (provider, model), (headers, started_ns) in list(self.last.items()):
            if started_ns < youngest_ns:
                continue
            labels = label_endpoint(provider, model)
            for kind, number in read_limits(headers)[member].items():
                measurements.append(Measurement(number, {**labels, A.RATE_LIMIT_KIND: kind}))
        return measurements


def read_limits(headers: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return what is left and the limit, each by kind, as far as the headers of a response say it."""
    limits: dict[str, dict[str, int]] = {"remaining": {}, "limit": {}}
    for name, text in headers.items():
        member, kind = _HEADERS.get(name.lower(), ("", ""))
        if member and text.strip().isdecimal():
            limits[member][kind] = int(text)
    return limits


class Waits:
    """The waits that servers asked for, until the next request to the same model tells if it was kept to.

    pending: By provider, server and model, the time in s at which the wait ends, of a clock that only grows.
    """

    def __init__(self, meter: Meter) -> None:
        metric = M.METRICS[M.RETRY_AFTER_WAITS]
        self._counter = meter.create_counter(metric.name, metric.unit, metric.brief)
        self.pending: dict[tuple[object, ...], float] = {}

    def add(self, operation: ClientOperation, seconds: float) -> None:
        """Remember a wait; a later one to the same model takes its place."""
        if len(self.pending) < _MAX_MODELS:
            self.pending[_find_endpoint(operation)] = time.monotonic() + seconds

    def end(self, operation: ClientOperation) -> None:
        """Count the wait that a request ends."""
        end_s = self.pending.pop(_find_endpoint(operation), None)
        if end_s is not None:
            labels = label_endpoint(operation.provider, operation.model)
            is_honoured = time.monotonic() >= end_s - _TOLERANCE_S
            self._counter.add(1, {**labels, A.RETRY_AFTER_HONOURED: is_honoured})


def _find_endpoint(operation: ClientOperation) -> tuple[object, ...]:
    return operation.provider, operation.attributes.get(A.SERVER_ADDRESS), operation.model


def label_endpoint(provider: str | None, model: str | None) -> Attributes:
    """Return the labels of a provider and a model, as far as they are known."""
    labels: Attributes = {} if provider is None else {A.GEN_AI_PROVIDER_NAME: provider}
    return labels if model is None else {**labels, A.GEN_AI_REQUEST_MODEL: model}
