"""Helpers for tests of adapters, which compare whole spans: all that is emitted, in memory, as plain values.

    with capture(Instrumentor()) as seen:
        client.chat.completions.create(...)
    assert seen.spans == [{"name": "chat gpt-x", ...}]

A value that differs on every run is compared with `SECONDS`, which equals any measured time.
`seen.problems` holds every emitted name that is not in the registry or has another type than registered; leaving the
block raises AssertionError if there is one, so that no test passes on an unregistered name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agentops import _config, _deferred_work, _foreign_spans, _telemetry
from otel_agentops._offered_tools import forget_tools
from otel_agentops.semconv import check
from otel_agentops.semconv.metrics import METRICS
from otel_agentops.stores._index_resolver import RESOLVER

Values: TypeAlias = Mapping[str, Any]  # of attributes, parameters or JSON
Record: TypeAlias = dict[str, Any]  # a span, an event or a data point as plain values

if "pytest" in sys.modules:  # a failing case of the contract shows what differs, in anybody's tests
    sys.modules["pytest"].register_assert_rewrite(f"{__name__}.contract")


class _Seconds:
    """A value that equals every measured time, which is a float above zero."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(other) is float and other > 0

    def __repr__(self) -> str:
        return "SECONDS"


SECONDS: Any = _Seconds()


class Capture:
    """The telemetry so far, oldest first.

    Attributes:
        tracer_provider: The provider of traces, for spans of the test's own.
        meter_provider: The provider of metrics.
        logger_provider: The provider of logs.
    """

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
        """Return the three providers as arguments of an instrumentor."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    @property
    def finished_spans(self) -> Sequence[ReadableSpan]:
        """Return the ended spans as the SDK exports them, those of abandoned streams included."""
        _deferred_work.run_deferred()
        return self._spans.get_finished_spans()

    @property
    def spans(self) -> list[Record]:
        """Return the ended spans as plain values."""
        names = {span.context.span_id: span.name for span in self.finished_spans if span.context}
        return [span_as_dict(span, names) for span in self.finished_spans]

    @property
    def events(self) -> list[Record]:
        """Return the log events as plain values."""
        return [event_as_dict(record) for record in self._logs.get_finished_logs()]

    @property
    def metrics(self) -> dict[str, list[Record]]:
        """Return the data points of each metric: attributes, and count and sum or the value."""
        points_by_name: dict[str, list[Record]] = {}
        for _, metric in self._collect_metrics():
            points = points_by_name[metric.name] = []
            for point in metric.data.data_points:
                names = ("count", "sum") if hasattr(point, "count") else ("value",)
                values = {name: getattr(point, name) for name in names}
                points.append({"attributes": dict(point.attributes or {}), **values})
        return points_by_name

    @property
    def problems(self) -> list[str]:
        """Return a sentence for each name of ours that is not registered, or has another type than registered."""
        metrics = [metric for scope, metric in self._collect_metrics() if scope == _foreign_spans.SCOPE]
        sentences = [f"metric {metric.name} is not registered" for metric in metrics if metric.name not in METRICS]
        attributes: list[Mapping[str, object]] = [
            span.attributes or {} for span in self.finished_spans if _is_ours(span)
        ]
        attributes += [_read_attributes(log) for log in self._logs.get_finished_logs() if _is_ours(log)]
        attributes += [point.attributes or {} for metric in metrics for point in metric.data.data_points]
        return sentences + [sentence for values in attributes for sentence in check.find_problems(values)]

    def _collect_metrics(self) -> Iterator[tuple[str, Metric]]:
        """Yield the metrics so far, each with the name of its scope."""
        _deferred_work.run_deferred()
        data = self._metrics.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                yield from ((scope.scope.name, metric) for metric in scope.metrics)

    def clear(self) -> None:
        """Forget the spans and events so far."""
        self._spans.clear()
        self._logs.clear()


@contextmanager
def capture(*instrumentors: BaseInstrumentor) -> Iterator[Capture]:
    """Instrument, collect what is emitted in the block, and put everything back.

    Args:
        *instrumentors: The instrumentations to install for the block; the helpers of this library write to the same
            telemetry.

    Yields:
        The telemetry so far, at any time.

    Raises:
        AssertionError: At the end of the block, an emitted name is not registered, or has another type.
    """
    seen = Capture()
    forget_tools()  # those of the test before this one, in the same context
    RESOLVER.forget()
    before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), **seen.providers))
    with ExitStack() as stack:
        stack.callback(_telemetry.replace_default, before)
        for instrumentor in instrumentors:
            instrumentor.instrument(**seen.providers, skip_dep_check=True)
            stack.callback(instrumentor.uninstrument)
        yield seen
    assert not seen.problems, "\n".join(seen.problems)


def span_as_dict(span: ReadableSpan, names: Mapping[int, str] | None = None) -> Record:
    """Return a span as plain values, without those that differ on every run (ids, times).

    Args:
        span: An ended span.
        names: Names of spans by id. `parent` is a name of these, "remote" for another span and None for a root.
    """
    parent = span.parent.span_id if span.parent else None
    return {
        "name": span.name,
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "parent": (names or {}).get(parent, "remote") if parent else None,
        "attributes": _read_attributes(span),
    }


def event_as_dict(log: ReadableLogRecord) -> Record:
    """Return a log event as plain values, without its times; `in_span` is True if it belongs to a span."""
    record = log.log_record
    return {
        "event_name": record.event_name,
        "in_span": bool(record.span_id),
        "attributes": _read_attributes(log),
    }


def _is_ours(record: ReadableSpan | ReadableLogRecord) -> bool:
    return record.instrumentation_scope is not None and record.instrumentation_scope.name == _foreign_spans.SCOPE


def _read_attributes(record: ReadableSpan | ReadableLogRecord) -> Record:
    """Return the attributes in the order of their names, with lists for tuples."""
    attributes = (record if isinstance(record, ReadableSpan) else record.log_record).attributes or {}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(attributes.items())}
