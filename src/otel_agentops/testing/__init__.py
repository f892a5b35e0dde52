"""Tests of adapters compare whole spans: everything an installation emits, in memory, as plain values.

    with capture(Instrumentor()) as seen:
        client.chat.completions.create(...)
    assert seen.spans == [{"name": "chat gpt-x", ...}]

A value that differs on every run is compared with `SECONDS`, which equals any measured time.
`seen.problems` holds every emitted name that is not in the registry or has another type than registered; leaving the
block raises AssertionError where there is one, so that no test passes on an unregistered name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import _config, _deferred_work, _foreign, _telemetry
from otel_agentops.semconv import check
from otel_agentops.semconv.metrics import METRICS

if "pytest" in sys.modules:  # so that a case of the contract that fails shows what differs, in anybody's tests
    sys.modules["pytest"].register_assert_rewrite(f"{__name__}.contract")


class _Seconds:
    """Equals every measured time: a double above zero."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(other) is float and other > 0

    def __repr__(self) -> str:
        return "SECONDS"


SECONDS: Any = _Seconds()


class Capture:
    """What was emitted so far, oldest first."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self._metrics = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.logger_provider = LoggerProvider()
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.meter_provider = MeterProvider([self._metrics])

    @property
    def providers(self) -> dict[str, Any]:
        """The three providers, as arguments of an instrumentor."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    @property
    def finished(self) -> Sequence[ReadableSpan]:
        """The ended spans as the SDK exports them, those of dropped streams included."""
        _deferred_work.settle()
        return self._spans.get_finished_spans()

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The ended spans as plain values."""
        names = {span.context.span_id: span.name for span in self.finished if span.context}
        return [span_as_dict(span, names) for span in self.finished]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log events: name, attributes, and whether they belong to a span."""
        return [event_as_dict(record) for record in self._logs.get_finished_logs()]

    @property
    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """Metric name to data points: attributes, count and sum."""
        return {metric.name: [_point(point) for point in metric.data.data_points] for _, metric in self._collected()}

    def _collected(self) -> Iterator[tuple[str, Any]]:
        _deferred_work.settle()
        data = self._metrics.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                yield from ((scope.scope.name, metric) for metric in scope.metrics)

    @property
    def problems(self) -> list[str]:
        """One sentence for each name of ours that the registry does not know, or knows with another type."""
        ours = [metric for scope, metric in self._collected() if scope == _foreign.SCOPE]
        emitted = [span.attributes or {} for span in self.finished if _is_ours(span)]
        emitted += [event_as_dict(log)["attributes"] for log in self._logs.get_finished_logs() if _is_ours(log)]
        emitted += [point.attributes for metric in ours for point in metric.data.data_points]
        found = [f"metric {metric.name} is not registered" for metric in ours if metric.name not in METRICS]
        return found + [sentence for attributes in emitted for sentence in check.find_problems(attributes)]

    def clear(self) -> None:
        """Forget the spans and events so far."""
        self._spans.clear()
        self._logs.clear()


@contextmanager
def capture(*instrumentors: BaseInstrumentor) -> Iterator[Capture]:
    """Instrument, collect what is emitted in the block, put everything back; helpers write here as well.

    Raises AssertionError at the end where something emitted is not registered.
    """
    seen = Capture()
    before = _telemetry.replace(_telemetry.Telemetry(_config.read(), **seen.providers))
    with ExitStack() as stack:
        stack.callback(_telemetry.replace, before)
        for instrumentor in instrumentors:
            instrumentor.instrument(**seen.providers, skip_dep_check=True)
            stack.callback(instrumentor.uninstrument)
        yield seen
    assert not seen.problems, "\n".join(seen.problems)


def span_as_dict(span: ReadableSpan, names: dict[int, str] | None = None) -> dict[str, Any]:
    """A span without what differs on every run (ids, times), for whole equality. parent: its name, None for a root."""
    parent = span.parent.span_id if span.parent else None
    return {
        "name": span.name,
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "parent": (names or {}).get(parent, "remote") if parent else None,
        "attributes": {key: _plain(value) for key, value in sorted((span.attributes or {}).items())},
    }


def event_as_dict(log: ReadableLogRecord) -> dict[str, Any]:
    """A log event without its times."""
    record = log.log_record
    return {
        "event_name": record.event_name,
        "in_span": bool(record.span_id),
        "attributes": {key: _plain(value) for key, value in sorted((record.attributes or {}).items())},
    }


def _is_ours(made: ReadableSpan | ReadableLogRecord) -> bool:
    return made.instrumentation_scope is not None and made.instrumentation_scope.name == _foreign.SCOPE


def _point(point: Any) -> dict[str, Any]:
    value = {"count": point.count, "sum": point.sum} if hasattr(point, "count") else {"value": point.value}
    return {"attributes": dict(point.attributes), **value}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
