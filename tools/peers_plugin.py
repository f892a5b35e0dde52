"""Pytest plugin for a client's own unit tests: providers, one instrumentation, a line of JSON for each result.

The settings are environment variables, because the processes that pytest-xdist starts load this file as well:
PEERS_INSTRUMENTATION, PEERS_REPORT (JSON lines, written), PEERS_ONLY (test ids, one a line; empty: all tests),
PEERS_PART (2/3: the second of each three tests; empty: all tests).
"""

from __future__ import annotations

import json
import os
import traceback
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

INSTRUMENTATIONS = {
    "none": (),
    "ours": (),  # all of them: the entry points of an installation
    "official": (
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
    ),
    "openllmetry": (
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    ),
    "openinference": (
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    ),
}
OURS = "otel_agentops"
GROUP = "opentelemetry_instrumentor"
ENRICHED = "spans of others with attributes of ours"


def list_instrumentors(client: str, instrumentation: str) -> list[EntryPoint]:
    """Return the instrumentors of a client; all of ours, as an application has them."""
    if instrumentation == "ours":
        ours = [point for point in entry_points(group=GROUP) if point.name.startswith("agentops_")]
        return ours if f"agentops_{client}" in {point.name for point in ours} else []
    theirs = (EntryPoint(client, place, GROUP) for place in INSTRUMENTATIONS[instrumentation])
    return [point for point in theirs if client in point.module.split(".")]


class ScopeCounter(SpanExporter):
    """Exporter that counts spans by the scope that made them, and spans of others that carry our attributes."""

    def __init__(self) -> None:
        self.scopes: Counter[str] = Counter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count the spans and forget them."""
        for span in spans:
            scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
            enriched = scope != OURS and any(name.startswith(f"{OURS}.") for name in span.attributes or ())
            self.scopes[ENRICHED if enriched else f"spans of {scope}"] += 1
        return SpanExportResult.SUCCESS


class EventCounter(LogRecordProcessor):
    """Processor that counts events by the scope that made them: a judgement without a model is no span."""

    def __init__(self, scopes: Counter[str]) -> None:
        self.scopes = scopes

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Count the event."""
        scope = log_record.instrumentation_scope.name if log_record.instrumentation_scope else ""
        self.scopes[f"events of {scope}"] += 1

    def shutdown(self) -> None:
        """Do nothing: there is nothing to close."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: nothing waits."""
        return True


class SuiteProcessor(SpanProcessor):
    """Processor that shows the spans of the global provider to those of a provider that a suite sets itself.

    The first provider stays the global one, so the suite would else see no span, and its tests of spans would fail
    without us. A provider of logfire holds one of the SDK, which each test replaces.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self.provider = provider

    @property
    def processor(self) -> SpanProcessor:
        """The processor of the suite's provider now."""
        provider = getattr(self.provider, "provider", self.provider)
        return provider._active_span_processor if isinstance(provider, TracerProvider) else SpanProcessor()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Show the start of a span."""
        self.processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Show the end of a span."""
        self.processor.on_end(span)


class Peers:
    """The hooks of one process: of the run itself, or of one of its xdist workers."""

    def __init__(self, report: Path, only: Path) -> None:
        self.report = os.open(report, os.O_WRONLY | os.O_APPEND)  # a test may replace `open` when our guard swallows
        self.only = frozenset(only.read_text().splitlines()) if only.name else frozenset()
        self.counter = ScopeCounter()
        self.instrumentor: BaseInstrumentor | None = None  # of the client; an installation has others beside it

    def instrument(self, client: str, instrumentation: str) -> None:
        """Set the global providers, which both runs have, and install the instrumentation of the client, if any."""
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.counter))
        trace.set_tracer_provider(tracers)
        trace.set_tracer_provider = lambda tracer_provider: tracers.add_span_processor(SuiteProcessor(tracer_provider))
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
        loggers = LoggerProvider()
        loggers.add_log_record_processor(EventCounter(self.counter.scopes))
        _logs.set_logger_provider(loggers)
        if instrumentation == "ours":
            self.watch_guard()
        for point in list_instrumentors(client, instrumentation):
            instrumentor = point.load()()
            instrumentor.instrument()
            if point.name in (client, f"agentops_{client}"):
                self.instrumentor = instrumentor

    def watch_guard(self) -> None:
        """Write each failure that our guard swallows to the report: it is a defect, though no test can see it.

        The log does not show all: a test may switch loggers off, a failure is logged once a process, and the garbage
        collector may meet one after the last test.
        """
        from otel_agentops import _guard

        report_failure = _guard._report_failure

        def write_failure(place: str, error: Exception, has_content: bool) -> None:
            test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
            end = "".join(traceback.format_exception(error))[-1000:]
            self.write_line(swallowed=f"our guard swallowed {type(error).__name__} in {place}, in {test}\n{end}")
            report_failure(place, error, has_content)

        _guard._report_failure = write_failure

    @property
    def observations(self) -> dict[str, object]:
        """Numbers of spans by scope, and the places that we patched, in this process."""
        from otel_agentops import _entry_points  # here: a run without us must not import us

        entry_point = self.instrumentor
        libraries = entry_point.libraries if isinstance(entry_point, _entry_points.EntryPoint) else ()
        patched = {
            f"{target.module}.{target.owner}.{target.name}" for library in libraries for target in library.patches
        }
        return {"scopes": dict(self.counter.scopes), "patched": sorted(patched)}

    def write_line(self, **line: object) -> None:
        """Append a line to the report, which is read while the run goes on; a single write, as every process does."""
        os.write(self.report, f"{json.dumps(line)}\n".encode())

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests that PEERS_ONLY does not name, or that are not of PEERS_PART."""
        number, _, parts = (os.environ["PEERS_PART"] or "1/1").partition("/")
        chosen = [item for item in items[int(number) - 1 :: int(parts)] if not self.only or item.nodeid in self.only]
        config.hook.pytest_deselected(items=[*{*items}.difference(chosen)])
        items[:] = chosen


class Worker(Peers):
    """The hooks in a process of pytest-xdist, which sends its observations to the process of the run."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the observations."""
        session.config.workeroutput["peers"] = self.observations  # type: ignore[attr-defined]


class Run(Peers):
    """The hooks in the process of the run, which gets every result."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the outcome of a test; a failure in setup or teardown is a failure of the test."""
        if report.when == "call" or report.outcome != "passed":
            why = report.longreprtext if report.failed else ""
            self.write_line(test=report.nodeid, outcome=report.outcome, why=why[-4000:])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write a failure for a file that cannot be imported."""
        if report.failed:
            self.write_line(test=report.nodeid, outcome="failed", why=report.longreprtext[-4000:])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Write the observations of a worker that has ended."""
        self.write_line(**getattr(node, "workeroutput", {}).get("peers", {"scopes": {}, "patched": []}))

    def pytest_sessionfinish(self) -> None:
        """Write the observations of this process, which are all if there are no workers."""
        self.write_line(**self.observations)


def pytest_configure(config: pytest.Config) -> None:
    """Install the instrumentation in every process, before the client's own conftest is loaded."""
    kind = Worker if hasattr(config, "workerinput") else Run
    peers = kind(Path(os.environ["PEERS_REPORT"]), Path(os.environ["PEERS_ONLY"]))
    peers.instrument(os.environ["PEERS_CLIENT"], os.environ["PEERS_INSTRUMENTATION"])
    config.pluginmanager.register(peers, "peers")
