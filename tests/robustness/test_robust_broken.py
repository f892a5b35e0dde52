"""Telemetry that is broken at any step: the application sees nothing of it, and what was started is ended."""

from __future__ import annotations

import gc
import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bare import App, Bench
from opentelemetry import propagate
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from tests.clients.both import block, done, drained

from otel_agentops import _client_call, _patching, _retry_after, _telemetry
from otel_agentops._identity import Identities
from otel_agentops._sinks import own_span
from otel_agentops._sinks.metrics import ClientMetricsSink
from otel_agentops._sinks.spans import ForeignSpanSink
from otel_agentops._sinks.task_totals import TaskTotalsSink
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Break, FakeProvider, Status


class BrokenTelemetryError(Exception):
    """Raised by every part that a test breaks."""


def boom(*args: Any, **kwargs: Any) -> Any:
    raise BrokenTelemetryError("telemetry is broken")


class Broken:
    """In the place of a part of the SDK: whatever is called raises."""

    def __getattr__(self, name: str) -> Any:
        return boom


class Counting(SpanProcessor):
    """How often each span began and ended."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.ended: list[int] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.started.append(span.context.span_id)

    def on_end(self, span: Any) -> None:
        self.ended.append(span.context.span_id)


async def scenario(app: App) -> Any:
    """Every kind of call once, one of them retried, one refused, one cut."""
    client = app.client(max_retries=1)
    app.provider.script(Status(429, retry_after=0.001))
    first = await done(app.ask(client))
    chunks = await drained(await done(app.ask(client, stream=True)))
    raw = await done(app.resource(client).with_raw_response.create(**app.arguments))
    async with block(app.resource(client).with_streaming_response.create(**app.arguments)) as response:
        streamed = await done(response.parse())
    app.provider.script(Status(400))
    with pytest.raises(app.library.BadRequestError) as refused:
        await done(app.ask(client))
    app.provider.script(Break(after=2))
    with pytest.raises(Exception) as cut:
        await drained(await done(app.ask(client, stream=True)))
    app.note(str(refused.value), type(cut.value), raw.status_code)
    return [first, chunks, await done(raw.parse()), streamed]


Break_ = Callable[[Capture, Any, pytest.MonkeyPatch], Any]


def processor(**members: Any) -> Break_:
    def add(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        made = type("Broken", (SpanProcessor,), members)()
        seen.tracer_provider.add_span_processor(made)

    return add


def span_whose(name: str) -> Break_:
    def on_start(self: Any, span: Any, parent_context: Any = None) -> None:
        setattr(span, name, boom)

    return processor(on_start=on_start)


def exporter(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
    made = type("Broken", (SpanExporter,), {"export": boom, "shutdown": lambda self: None})()
    seen.tracer_provider.add_span_processor(SimpleSpanProcessor(made))


def tracer(**members: Any) -> Break_:
    def change(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        for name, value in members.items():
            patch.setattr(_telemetry.get_default().spans.tracer, name, value)

    return change


def meter(provider: Callable[[], Any]) -> Break_:
    def change(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        telemetry = _telemetry.get_default()
        metrics = ClientMetricsSink(provider().get_meter("otel_agentops"))
        sinks = [metrics if isinstance(sink, ClientMetricsSink) else sink for sink in telemetry.sinks]
        patch.setattr(telemetry, "sinks", tuple(sinks))
        telemetry.compile_sinks()

    return change


def propagator(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(propagate, "propagator", Broken())


def log_processor(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
    """The guard itself reports to a log that is exported, and that is broken too."""
    provider = LoggerProvider()
    provider.add_log_record_processor(type("Broken", (), {"on_emit": boom, "emit": boom, "shutdown": lambda s: None})())
    logger = logging.getLogger("otel_agentops")
    handler = type("Raising", (LoggingHandler,), {"emit": boom})(logger_provider=provider)
    patch.setattr(logger, "handlers", [handler])
    patch.setattr(_telemetry.get_default(), "open_span", boom)


def adapter(**functions: Any) -> Break_:
    def change(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        endpoints = importlib.import_module(f"otel_agentops.clients.{client.distribution}").ENDPOINTS
        for path, endpoint in list(endpoints.items()):
            patch.setitem(endpoints, path, endpoint._replace(**functions))

    return change


def step(owner: Any, name: str) -> Break_:
    def change(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, name, boom)

    return change


def hook(kind: type, name: str) -> Break_:
    def change(seen: Capture, client: _patching.PatchedLibrary, patch: pytest.MonkeyPatch) -> None:
        telemetry = _telemetry.get_default()
        (sink,) = (sink for sink in telemetry.sinks if isinstance(sink, kind))
        patch.setattr(sink, name, boom)
        telemetry.compile_sinks()

    return change


def raises_in_aggregation() -> Any:
    view = View(instrument_name="*", aggregation=Broken())  # type: ignore[arg-type]
    return MeterProvider([InMemoryMetricReader()], views=[view])


# Where spans that were started can be ended, they are.
ENDED: dict[str, Break_] = {
    "exporter": exporter,
    "sampler": tracer(sampler=Broken()),
    "id generator": tracer(id_generator=Broken()),
    "propagator": propagator,
    "on_end": processor(on_end=boom),
    "span.set_attributes": span_whose("set_attributes"),
    "span.set_status": span_whose("set_status"),
    "meter": meter(lambda: MeterProvider([InMemoryMetricReader()], views=[])),
    "view": meter(raises_in_aggregation),
    "adapter request": adapter(request=boom),
    "adapter response": adapter(response=boom),
    "adapter fold": adapter(fold=boom),
    "adapter settled": adapter(finish_fold=boom),
    "adapter whole": adapter(request=boom, response=boom, fold=boom, finish_fold=boom),
    "log": log_processor,
    "identities": step(Identities, "identify_call"),
    "scope": step(_telemetry, "current_scope"),
    "provider": step(_telemetry.Telemetry, "watch_provider"),
    "open": step(_telemetry.Telemetry, "open_span"),
    "account": hook(TaskTotalsSink, "ended"),
    "cost": step(_telemetry.Telemetry, "derive_result"),
    "measure": hook(ClientMetricsSink, "ended"),
    "settle": hook(ForeignSpanSink, "answer_known"),
    "attempted": hook(ForeignSpanSink, "attempt_finished"),
    "answer attributes": step(own_span, "answer_attributes"),
    "begin": step(_client_call, "get_current"),
    "retry_after": step(_retry_after, "_parse_number"),
}
# Here the SDK keeps the span to itself, or cannot end it.
NOT_ENDED: dict[str, Break_] = {
    "on_start": processor(on_start=boom),
    "span.end": span_whose("end"),
    "close": step(_telemetry.Telemetry, "close"),
}


def broken(bench: Bench, part: Break_, patch: pytest.MonkeyPatch, counting: Counting) -> Callable[[Capture], None]:
    def apply(seen: Capture) -> None:
        seen.tracer_provider.add_span_processor(counting)
        part(seen, bench.patched, patch)

    return apply


@pytest.mark.filterwarnings("ignore:`LoggingHandler`:DeprecationWarning")  # still what applications use
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("part", ENDED.values(), ids=ENDED)
async def test_every_started_span_is_ended(bench: Bench, part: Break_, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    with monkeypatch.context() as patch:
        seen = await bench.same(scenario, broken(bench, part, patch, counting))
        assert len(seen.finished_spans) == len(counting.ended)
    assert sorted(counting.started) == sorted(counting.ended)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("part", NOT_ENDED.values(), ids=NOT_ENDED)
async def test_broken_span_end_does_not_affect_the_application(
    bench: Bench, part: Break_, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    with monkeypatch.context() as patch:
        await bench.same(scenario, broken(bench, part, patch, counting))
    assert len(counting.started) == 6


@pytest.mark.usefixtures("quiet")
async def test_guard_logs_a_broken_processor_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def apply(seen: Capture) -> None:
        seen.tracer_provider.add_span_processor(type("Broken", (SpanProcessor,), {"on_start": boom})())

    await bench.same(scenario, apply)
    assert [record.getMessage() for record in caplog.records if record.name == "otel_agentops"] == [
        "otel-agentops failed in ClientCall.attempt_started (BrokenTelemetryError: telemetry is broken); "
        "the call of the application is unaffected, its telemetry may lack a part"
    ]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("provider_name", ["tracer_provider", "meter_provider", "logger_provider"])
async def test_provider_that_raises_does_not_affect_the_application(bench: Bench, provider_name: str) -> None:
    bare = await bench.observe(scenario)
    instrumentor = bench.instrumentor()
    before = _telemetry.replace_default(None)
    try:
        instrumentor.instrument(**{provider_name: Broken()}, skip_dep_check=True)
        watched = await bench.observe(scenario)
    finally:
        instrumentor.uninstrument()
        _telemetry.replace_default(before)
    watched.logs = [entry for entry in watched.logs if entry[0] != "otel_agentops"]
    assert watched == bare


class LockedExporter(SpanExporter):
    """As exporters and metric readers do: memory is asked for with the lock held, so the collector may run there."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names: list[str] = []

    def export(self, spans: Any) -> Any:
        with self.lock:
            gc.collect()
            self.names += [span.name for span in spans]


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
def test_stream_collected_inside_the_exporter_lock_does_not_hang(sdk: str, read: bool, provider: FakeProvider) -> None:
    exporter = LockedExporter()
    bench = Bench(sdk, "sync", provider)

    def run(seen: Capture) -> None:
        app = App(sdk, "sync", provider, seen)
        client = app.client()
        cycle: dict[str, Any] = {"stream": app.ask(client, stream=True)}
        if read:
            next(cycle["stream"])
        cycle["itself"] = cycle
        del cycle
        app.ask(client)  # its span is exported, and the stream found there
        client.close()

    with bench.instrumented() as seen:
        seen.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
        thread = threading.Thread(target=run, args=(seen,), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the application hangs"
        assert len(seen.finished_spans) == 2
    assert len(exporter.names) == 2
