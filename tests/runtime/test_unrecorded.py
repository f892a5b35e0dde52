"""Calls of which nothing is recorded: decided before their request is read."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel_context
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider

from otel_agentops import _config
from otel_agentops._context import Scope, enter_scope
from otel_agentops._telemetry import Telemetry
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals

NO_TRACES, NO_METRICS = NoOpTracerProvider(), NoOpMeterProvider()
NOT_SAMPLED = TracerProvider(sampler=ALWAYS_OFF)


def make_telemetry(tracer_provider: Any, meter_provider: Any, sinks: Iterable[object] = ()) -> Telemetry:
    return Telemetry(_config.read_config(), tracer_provider, meter_provider, sinks=sinks)


@pytest.mark.parametrize(
    ("tracer_provider", "meter_provider", "may_record"),
    [
        (NO_TRACES, NO_METRICS, False),
        (NOT_SAMPLED, NO_METRICS, False),
        (TracerProvider(), NO_METRICS, True),
        (NO_TRACES, MeterProvider(), True),
        (NOT_SAMPLED, MeterProvider(), True),
    ],
)
def test_providers_decide_if_a_call_is_recorded(tracer_provider: Any, meter_provider: Any, may_record: bool) -> None:
    assert make_telemetry(tracer_provider, meter_provider).may_record() is may_record


@pytest.mark.parametrize("tracer_provider", [NO_TRACES, NOT_SAMPLED])
def test_call_is_recorded_if_anything_needs_it(tracer_provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = make_telemetry(tracer_provider, NO_METRICS)
    with TracerProvider().get_tracer("a framework").start_as_current_span("chat gpt-x"):
        assert telemetry.may_record()
    with ExitStack() as stack:
        enter_scope(stack, Scope(task=TaskTotals("refund")))
        assert telemetry.may_record()
    token = otel_context.attach(baggage.set_baggage(A.TRAFFIC_TENANT, "acme"))
    assert telemetry.may_record()
    otel_context.detach(token)
    assert make_telemetry(tracer_provider, NO_METRICS, [object()]).may_record()
    monkeypatch.setenv("OTEL_AGENTOPS_MODE", "enrich")
    assert make_telemetry(tracer_provider, NO_METRICS).may_record()
