"""The telemetry of one installation: its sinks in order, and what they share."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry._logs import LoggerProvider, LogRecord, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, NoOpMeter
from opentelemetry.trace import TracerProvider
from opentelemetry.util.types import AnyValue

from otel_agentops import _baggage, _config, _prices
from otel_agentops._coerce import drop_none
from otel_agentops._config import Config
from otel_agentops._context import NO_SCOPE, current_scope, entered_scope
from otel_agentops._derive import derive_cost, derive_request
from otel_agentops._foreign_spans import SCOPE
from otel_agentops._guard import guard
from otel_agentops._identity import Identities
from otel_agentops._observation import Observation, compile_hooks
from otel_agentops._placement import locate
from otel_agentops._processor import add_scope_processor
from otel_agentops._result_shapes import ResultShapes
from otel_agentops._sinks.evaluations import EvaluationSink
from otel_agentops._sinks.metrics import ClientMetricsSink
from otel_agentops._sinks.open_tasks import OpenTaskGauges
from otel_agentops._sinks.rate_limits import RateLimits, Waits
from otel_agentops._sinks.retries import RetryCounters
from otel_agentops._sinks.spans import ForeignSpanSink, SpanSink
from otel_agentops._sinks.task_totals import TaskTotalsSink
from otel_agentops.operations import NO_ANSWER, NO_VALUE, Answer, Fetch, ModelCall, Retrieval, ToolCall, ToolResult
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.task_totals import open_tasks, record_unattributed
from otel_agentops.version import __version__

if TYPE_CHECKING:
    from otel_agentops._sinks.recorder import RecorderSink

_MOST_PATHS = 8  # of a changed result that an event names
_METRICS_API = "opentelemetry.metrics"  # whose own providers record nothing; those of the SDK are elsewhere


class Telemetry:
    """The destination of the spans, measurements and events of one installation.

    None as a provider is the global one at the time of each signal. sinks: further ones, told after the span has
    started and before it ends.
    """

    def __init__(
        self,
        config: Config,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        sinks: Iterable[object] = (),
    ) -> None:
        self.config = config
        self.providers = (tracer_provider, meter_provider, logger_provider)
        self.identities = Identities(config.hash_key, config.prompt_limit)
        self._describe_result = guard(ResultShapes(config.hash_key).describe_result, has_content=True)
        self.spans = SpanSink(trace.get_tracer(SCOPE, __version__, tracer_provider), config.mode)
        meter = metrics.get_meter(SCOPE, __version__, meter_provider)
        self.metrics = ClientMetricsSink(meter)
        self._recorder: RecorderSink | None = None
        OpenTaskGauges(meter)
        self.retries = RetryCounters(meter)
        self.waits = Waits(meter)
        self.rate_limits = None if isinstance(meter, NoOpMeter) else RateLimits(meter)
        # The order in which an operation's start is told; its end is told in reverse.
        further_sinks = (*self._make_content_sinks(), *self._make_recorder_sinks(meter), *sinks)
        self.sinks = (
            self.spans,
            ForeignSpanSink(self.spans),
            self.metrics,
            EvaluationSink(self.emit_event),
            *further_sinks,
            TaskTotalsSink(self.retries),
        )
        self.compile_sinks()
        self._has_further_sinks = bool(further_sinks)
        self._tracer_provider = tracer_provider
        self._logger_provider = logger_provider
        self._prices = _prices.load_prices(config.prices)
        self._watched_provider: object = None

    def _make_content_sinks(self) -> Iterable[object]:
        """Return the sink of content; none if nobody asked for it, so that it costs nothing."""
        mode = self.config.content_mode
        if mode == "NO_CONTENT":
            return ()
        # Imported here: a process that records no content need not pay for it at its start.
        from otel_agentops._redaction import Redactor
        from otel_agentops._sinks.content import ContentSink

        emit_event = None if mode == "SPAN_ONLY" else self.emit_event
        redactor = Redactor(self.config.redact)
        return (ContentSink(redactor, self.config.content_limit, mode != "EVENT_ONLY", emit_event),)

    def _make_recorder_sinks(self, meter: metrics.Meter) -> Iterable[object]:
        """Return the flight recorder; nothing of it is imported unless it is on."""
        if self.config.recorder is None or self.config.recorder_mode.list_modes() == {"off"}:
            return ()
        from otel_agentops._sinks.recorder import make_recorder
        from otel_agentops._sinks.recorder_parts import RecorderPartsSink

        self._recorder = make_recorder(self.config, meter, self.emit_event, self._describe_resource)
        return (self._recorder, RecorderPartsSink(self._recorder.writer))

    def _describe_resource(self) -> Mapping[str, object]:
        """Return the attributes of the resource of the spans; empty if the provider has none."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        attributes: Mapping[str, object] = getattr(getattr(provider, "resource", None), "attributes", {})
        return attributes

    def compile_sinks(self) -> None:
        """Compile the hooks of all operations, and of a client's call with a span of our own, in a task and in none.

        A sink with `hears_calls = False` has nothing to do in such a call.
        """
        self.hooks = compile_hooks(self.sinks)
        in_task = [sink for sink in self.sinks if getattr(sink, "hears_calls", True)]
        self._call_hooks = compile_hooks(in_task)
        self._lone_call_hooks = compile_hooks(sink for sink in in_task if not isinstance(sink, TaskTotalsSink))

    def may_record(self) -> bool:
        """Return False if nothing is recorded of a call that begins here.

        Decided before the request is read, so True if that could matter.
        """
        meter_provider = self.providers[1] or metrics.get_meter_provider()
        if not type(meter_provider).__module__.startswith(_METRICS_API):
            return True  # metrics are not sampled
        if self._has_further_sinks or entered_scope() is not NO_SCOPE or self.spans.may_record():
            return True
        context = otel_context.get_current()
        return _baggage.remove_facts(context) is not context  # the call has to keep them from the provider

    def open_span(self, observation: Observation) -> bool:
        """Derive the request's attributes and decide own, enrich or pass; return False to pass."""
        self.watch_provider()
        operation = observation.operation
        assert operation is not None
        scope = observation.scope = current_scope()
        if scope.held_spans is not None and isinstance(operation, ModelCall) and operation.is_inference:
            scope.held_spans.release(None)  # another call came before anybody said if the last one's output is valid
        if scope.task is None:
            if open_tasks:
                record_unattributed(operation)
        elif isinstance(operation, (ToolCall, Retrieval)):
            locate(observation)
        foreign = self.spans.find_foreign(observation)
        if foreign is None and self.spans.passes(observation):
            return False
        attributes = observation.request_attributes = derive_request(operation, scope, self.identities)
        if isinstance(operation, ModelCall):
            params, observation.late_attributes = self.identities.identify_params(operation)
            attributes.update(params)
        observation.span = self.spans.open(observation, foreign, attributes)
        if foreign is None and isinstance(operation, (ModelCall, Fetch)):
            is_lone = scope.task is None and scope.judge is None
            observation.hooks = self._lone_call_hooks if is_lone else self._call_hooks
        else:
            observation.hooks = self.hooks
        return True

    def close(self, observation: Observation) -> None:
        """Derive what follows from the result and tell every sink of the end, whatever one of them raises."""
        hooks = iter(observation.hooks.ended)
        try:
            self.derive_result(observation)
            for hook in hooks:
                hook(observation)
        finally:
            for hook in hooks:
                hook(observation)

    @guard
    def derive_result(self, observation: Observation) -> None:
        """Set the cost of a model call and the shape of a tool's result, as far as they are known."""
        if isinstance(observation.operation, ModelCall):
            answer = observation.result if isinstance(observation.result, Answer) else NO_ANSWER
            observation.cost_usd = derive_cost(self._prices, observation.operation, answer, observation.attempts)
        elif isinstance(observation.operation, ToolCall) and isinstance(observation.result, ToolResult):
            self._derive_shape(observation, observation.operation, observation.result)

    def _derive_shape(self, observation: Observation, call: ToolCall, result: ToolResult) -> None:
        """Put the shape of a result in the place of its value, and tell of a change; a failure has no shape."""
        if result.value is NO_VALUE:
            return
        observation.result = result._replace(value=NO_VALUE)  # the application's object is kept no longer than needed
        if observation.error_type is not None or result.error is not None:
            return
        shape = self._describe_result((call.method, call.name), result.value)
        if shape is None:
            return
        attributes = {A.TOOL_RESULT_SHAPE: shape.hash, A.TOOL_RESULT_EMPTY: shape.is_empty}
        observation.result = ToolResult(None, {**result.attributes, **drop_none(attributes)})
        if shape.added or shape.removed:
            change = {
                A.CHANGE_VARIABLE: "tool",
                A.CHANGE_SCOPE: call.name,
                A.CHANGE_VALUE: shape.hash,
                A.CHANGE_PREVIOUS: shape.previous,
                A.CHANGE_SOURCE: "first_seen",
                A.TOOL_RESULT_ADDED: shape.added[:_MOST_PATHS] or None,
                A.TOOL_RESULT_REMOVED: shape.removed[:_MOST_PATHS] or None,
            }
            context = None if observation.span is None else observation.span.context
            self.emit_event(E.CHANGE, {**observation.scope.facts, **drop_none(change)}, context=context)

    def watch_provider(self) -> None:
        """Have scope facts stamped on everybody's spans of the provider in use; never set the global one."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        if provider is not self._watched_provider:
            self._watched_provider = provider
            add_scope_processor(provider, self, None if self._recorder is None else self._recorder.keep_parent)

    def emit_event(
        self,
        name: str,
        attributes: Mapping[str, AnyValue],
        timestamp_ns: int | None = None,
        context: Context | None = None,
    ) -> None:
        """Emit an event.

        Args:
            name: Its name.
            attributes: Its attributes.
            timestamp_ns: Since the epoch; None for now.
            context: Has the span that it belongs to; None for the current one.
        """
        now = time_ns()
        if name == E.OUTCOME and self._recorder is not None:
            self._recorder.record_outcome(attributes, timestamp_ns or now)
        logger = (self._logger_provider or get_logger_provider()).get_logger(SCOPE, __version__)
        logger.emit(
            LogRecord(
                timestamp=timestamp_ns or now,
                observed_timestamp=now,
                context=otel_context.get_current() if context is None else context,
                attributes=attributes,
                event_name=name,
            )
        )


_default: Telemetry | None = None
_by_providers: weakref.WeakValueDictionary[tuple[int, ...], Telemetry] = weakref.WeakValueDictionary()


def install(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Telemetry:
    """Return the telemetry over these providers; all installations over the same providers share one.

    The helpers (`task`, `tool`, ...) use the first one that was installed, so that a second installation with other
    providers does not take over their spans.
    """
    providers = (tracer_provider, meter_provider, logger_provider)
    telemetry = _default
    if telemetry is None or (any(providers) and telemetry.providers != providers):
        key = tuple(map(id, providers))
        known = _by_providers.get(key) if any(providers) else None
        # The id of a provider that is gone may be another's by now.
        telemetry = known if known is not None and known.providers == providers else None
        if telemetry is None:
            telemetry = _by_providers[key] = Telemetry(_config.read_config(), *providers)
    if _default is None:
        replace_default(telemetry)
    telemetry.watch_provider()
    return telemetry


def get_default() -> Telemetry:
    """Return the telemetry of the helpers; over the global providers if nothing was installed."""
    return _default or install()


def replace_default(telemetry: Telemetry | None) -> Telemetry | None:
    """Use another telemetry for the helpers from now on; return the one before."""
    global _default
    before, _default = _default, telemetry
    if telemetry is not None:
        _baggage.allow_groups(telemetry.config.baggage)
    return before
