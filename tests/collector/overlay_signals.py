"""Signals that tests send to a collector, and what they read back: spans and events of the real SDK, series as text.

A scrape says nothing about what is still on its way. `wait_until_settled` sends a last span and a last event through
the same queue and returns when the collector shows both: everything sent before has been counted then.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.semconv import metrics as M
from stack import Collector, Sample

type_of_value = str | bool | int | float | Sequence[str] | Sequence[int] | None
Attributes = Mapping[str, type_of_value]


class Span(NamedTuple):
    """A span to be sent; an attribute that is None is left out."""

    name: str
    attributes: Attributes
    error: bool = False
    seconds: float = 0.2
    events: Sequence[tuple[str, Attributes]] = ()
    scope: str = __name__


class Event(NamedTuple):
    """A log event to be sent."""

    attributes: Attributes
    name: str | None = E.GEN_AI_EVALUATION_RESULT


class Sender:
    """An application as the collector sees it; each call is one OTLP request of the SDK's own exporter."""

    def __init__(self, otlp: str) -> None:
        self._spans = OTLPSpanExporter(f"{otlp}/v1/traces", timeout=10)
        self._logs = OTLPLogExporter(f"{otlp}/v1/logs", timeout=10)

    def spans(self, service: str | None, *spans: Span, **resource: str) -> list[str]:
        """Send spans in one request; their trace ids. Raises where the collector did not take them."""
        finished = InMemorySpanExporter()
        provider = TracerProvider(resource=_resource(service, resource), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(finished))
        end = time.time_ns()
        for span in spans:
            start = end - int(span.seconds * 1e9)
            made = provider.get_tracer(span.scope).start_span(
                span.name, kind=SpanKind.INTERNAL, attributes=_present(span.attributes), start_time=start
            )
            for name, attributes in span.events:
                made.add_event(name, _present(attributes))
            if span.error:
                made.set_status(StatusCode.ERROR)
            made.end(end)
        sent = finished.get_finished_spans()
        assert self._spans.export(sent) is SpanExportResult.SUCCESS
        return [f"{span.get_span_context().trace_id:032x}" for span in sent]

    def events(self, service: str | None, *events: Event, **resource: str) -> None:
        """Send log events in one request. Raises where the collector did not take them."""
        finished = InMemoryLogRecordExporter()
        provider = LoggerProvider(_resource(service, resource), shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(finished))
        for event in events:
            record = LogRecord(timestamp=time.time_ns(), attributes=_present(event.attributes), event_name=event.name)
            provider.get_logger(__name__).emit(record)
        assert self._logs.export(finished.get_finished_logs()) is LogRecordExportResult.SUCCESS


def _resource(service: str | None, others: Mapping[str, str]) -> Resource:
    named = {} if service is None else {A.SERVICE_NAME: service}
    return Resource({**named, **{key.replace("_", "."): value for key, value in others.items()}})


def _present(attributes: Attributes) -> dict[str, str | bool | int | float | Sequence[str] | Sequence[int]]:
    return {key: value for key, value in attributes.items() if value is not None}


# The one setting that tests change for speed.
QUICK = ["yaml:processors::batch/otel_agentops::timeout: 100ms"]


def errors(collector: Collector) -> list[str]:
    """Return what the collector complained about."""
    return [line for line in collector.output.splitlines() if "\terror\t" in line or "\twarn\t" in line]


def wait_until_settled(collector: Collector, sender: Sender) -> list[Sample]:
    """Return the scrape that holds everything sent so far."""
    last = f"last-{uuid.uuid4()}"
    sender.spans(last, Span("plan", {A.GEN_AI_OPERATION_NAME: "plan"}))
    sender.events(last, Event({A.JUDGE_REVISION: last}))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        samples = collector.scrape()
        shown = {sample.name for sample in samples if sample.labels.get("service_name") == last}
        if len(shown & LAST) == len(LAST):
            return samples
        time.sleep(0.05)
    raise AssertionError(f"the collector does not show what was sent; its log ends {collector.output[-2000:]}")


LAST = {M.METRICS[M.SPAN_DURATION].prometheus + "_count", M.METRICS[M.JUDGE_OBSERVATIONS].prometheus}


# -- series as text, which compare well


def series(metric: str, labels: Mapping[str, object], suffix: str = "") -> str:
    """Return a series as Prometheus writes it, from the registry's names."""
    pairs = {key.replace(".", "_"): str(value) for key, value in labels.items() if value is not None}
    return _format_series(M.METRICS[metric].prometheus + suffix, pairs)


def counters(samples: Sequence[Sample], service: str) -> dict[str, float]:
    """Return the counters of a service: series, without the service and the environment, to value.

    Those by the value of a variable are apart: `value_counters`.
    """
    return {
        _series(sample): sample.value
        for sample in _of(samples, service)
        if sample.name.endswith("_total") and not sample.name.startswith(BY_VALUE)
    }


def value_counters(samples: Sequence[Sample], service: str) -> dict[str, float]:
    """Return the counters of a service by the value of a variable."""
    return {_series(sample): sample.value for sample in _of(samples, service) if sample.name.startswith(BY_VALUE)}


BY_VALUE = tuple(M.METRICS[name].prometheus for name in (M.SLI_VALUE_EVENTS, M.SLI_VALUE_BAD))


def histograms(samples: Sequence[Sample], service: str) -> dict[str, float]:
    """Return count and sum of every histogram of a service."""
    return {
        _series(sample): sample.value for sample in _of(samples, service) if sample.name.endswith(("_count", "_sum"))
    }


def buckets(samples: Sequence[Sample], metric: str, service: str, labels: Mapping[str, object]) -> dict[float, int]:
    """Return how many values lie between an upper boundary and the one before, by boundary."""
    wanted = {key.replace(".", "_"): value for key, value in labels.items()}
    name = M.METRICS[metric].prometheus + "_bucket"
    found = sorted(
        (float(sample.labels["le"]), int(sample.value))
        for sample in _of(samples, service)
        if sample.name == name and wanted.items() <= sample.labels.items()
    )
    return {le: count - before for (_, before), (le, count) in pairwise([(0.0, 0), *found])}


def _of(samples: Sequence[Sample], service: str) -> Iterator[Sample]:
    return (sample for sample in samples if sample.labels.get("service_name") == service)


def _series(sample: Sample) -> str:
    hidden = ("service_name", "deployment_environment_name")
    return _format_series(sample.name, {key: value for key, value in sample.labels.items() if key not in hidden})


def _format_series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{key}={labels[key]!r}' for key in sorted(labels))}}}"
