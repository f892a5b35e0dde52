"""The one door to OpenTelemetry: an operation is opened with a record and closed once with its answer or error.

For each call one of three happens: a recording span that was started for this very call is enriched, else a complete
span of our own is made, else (suppressed, or OTEL_AGENTOPS_MODE=enrich) the call passes. Never two spans.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry._logs import Logger, LogRecord, get_logger_provider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from otel_agentops import _coerce, _config, _foreign, _prices
from otel_agentops import scope as scopes
from otel_agentops._config import Config
from otel_agentops._guard import guard
from otel_agentops._identity import Identities
from otel_agentops._measures import Measures
from otel_agentops._processor import stamp_spans_of
from otel_agentops._tool_arguments import near
from otel_agentops.operations import FETCH, INFERENCE, Answer, Attempt, Attributes, ModelCall, Value
from otel_agentops.scope import Scope
from otel_agentops.semconv import attributes as A
from otel_agentops.version import __version__

ERROR = Status(StatusCode.ERROR)  # no description: an exception's text may quote a prompt
NO_ANSWER = Answer(None, {})
_REFUSED = 400  # the first HTTP status of an error
# What a receipt remembers of the model calls of its task.
_RECEIPT = (A.GEN_AI_REQUEST_MODEL, A.PROMPT_HASH, A.TOOLS_HASH, A.PARAMS_HASH)


class Operation:
    """One model call between its opening and its closing.

    own: the span is ours, to be ended here. started, first_chunk, last_chunk: time in ns; first_chunk is None until one
    came. chunks: how many came. asked: what was added to a foreign span when the request left.
    """

    __slots__ = (
        "asked",
        "call",
        "chunks",
        "first_chunk",
        "last_chunk",
        "own",
        "scope",
        "span",
        "started",
        "token",
    )

    def __init__(self, call: ModelCall, scope: Scope, span: Span, own: bool, started: int) -> None:
        self.call = call
        self.scope = scope
        self.span = span
        self.own = own
        self.started = started
        self.first_chunk: int | None = None
        self.last_chunk = 0
        self.chunks = 0
        self.token: Any = None
        self.asked: Attributes = {}


class Telemetry:
    """The signals of one installation: where spans, measurements and events go."""

    def __init__(
        self, config: Config, tracer_provider: Any = None, meter_provider: Any = None, logger_provider: Any = None
    ) -> None:
        self.config = config
        self.identities = Identities(config.hash_key, config.prompt_limit)
        self.tracer = trace.get_tracer(_foreign.SCOPE, __version__, tracer_provider)
        self._tracer_provider = tracer_provider
        self._logger_provider = logger_provider
        self._measures = Measures(metrics.get_meter(_foreign.SCOPE, __version__, meter_provider))
        self._prices = _prices.load(config.prices)
        self._taken: weakref.WeakSet[Span] = weakref.WeakSet()
        self._watched: Any = None

    # -- model operations

    def open(self, call: ModelCall, started: int) -> Operation | None:
        """Begin the operation: enrich the span of this call, else start one and make it current; None to pass."""
        self.watch_provider()
        scope = scopes.current()
        if scope.output is not None and call.operation in INFERENCE:
            scope.output.tell(None)  # another call was made before anybody said whether the last one's output is valid
        found = self._span_of(call) if self.config.mode != "own" else None
        if found is None and self.config.mode == "enrich":
            return None
        attributes = _request_attributes(call, scope)
        if not call.lookup:
            attributes.update(self.identities.of(call, scope))
        if scope.run is not None and _for_the_task(call, scope):
            scope.run.facts.update((key, attributes[key]) for key in _RECEIPT if key in attributes)
        if found is not None:
            self._taken.add(found)
            # Words of the application, which Anthropic's own tracing takes for content: its maker may leave them out.
            attributes.pop(A.GEN_AI_REQUEST_STOP_SEQUENCES, None)
            add_missing(found, attributes)
            operation = Operation(call, scope, found, False, started)
            operation.asked = attributes
            return operation
        span = self.tracer.start_span(
            " ".join(filter(None, (call.operation, call.model or call.base))),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=started,
        )
        operation = Operation(call, scope, span, True, started)
        self.enter(operation)
        return operation

    @guard
    def hush(self) -> Any:
        """Keep our facts out of the baggage that goes to a model provider; the token to detach, None for nothing."""
        context = otel_context.get_current()
        told = scopes.untold(context)
        return None if told is context else otel_context.attach(told)

    def enter(self, operation: Operation) -> None:
        """Make our span the current one, until `leave`."""
        if trace.get_current_span() is not operation.span:
            operation.token = otel_context.attach(set_span_in_context(operation.span))

    def follow(self, operation: Operation) -> None:
        """The call is made once more: where its span's maker starts one for each attempt, go on with the new one."""
        if operation.own or not _foreign.is_of_an_attempt(operation.span):
            return
        found = self._span_of(operation.call)
        if found is not None and _foreign.is_of_an_attempt(found):
            self._taken.add(found)
            add_missing(found, operation.asked)
            operation.span = found

    def leave(self, operation: Operation) -> None:
        """The call returned to the application: our span is no longer current, whether or not it has ended."""
        token, operation.token = operation.token, None
        if token is not None:
            otel_context.detach(token)

    def direct(
        self, operation: Operation, provider: str | None, attributes: Mapping[str, Any], sent: str | None
    ) -> None:
        """The call goes elsewhere than was known when it was opened: whoever is asked last is who answers."""
        call = operation.call
        found = {key: attributes[key] for key in (A.SERVER_ADDRESS, A.SERVER_PORT) if key in attributes}
        if provider is not None:
            found[A.GEN_AI_PROVIDER_NAME] = provider
        operation.call = call._replace(
            provider=provider or call.provider,
            attributes={**call.attributes, **found},
            sent=call.sent if sent is None or sent == call.model else sent,
        )
        if not operation.own:
            add_missing(operation.span, found)
        else:
            operation.span.set_attributes(found)

    def attempted(self, operation: Operation, sent: int, attempts: Sequence[Attempt]) -> None:
        """Keep the attempts on a foreign span up to date: where the call fails its maker ends it before we know."""
        if not operation.span.is_recording():
            return
        attributes = _attempt_attributes(attempts) if attempts else {}
        operation.span.set_attributes({**attributes, A.ATTEMPT_COUNT: sent})

    def settle(self, operation: Operation, answer: Answer, attempts: Sequence[Attempt] | None) -> None:
        """Write an answer to a foreign span as soon as it is known: its maker may end it before we are called again."""
        if not operation.own:
            usd = self._cost(operation.call, answer, attempts)
            add_missing(operation.span, _answer_attributes(operation, answer, attempts, usd))

    def close(
        self, operation: Operation, answer: Answer | None, error: str | None, attempts: Sequence[Attempt] | None
    ) -> None:
        """End the operation; call it once.

        answer: None where the call failed before one came. error: the type of the exception that it ended with.
        attempts: None where they are not known.
        """
        ended = time_ns()
        held = operation.scope.output if error is None and operation.call.operation in INFERENCE else None
        answer = answer or NO_ANSWER
        try:
            usd = self._cost(operation.call, answer, attempts)
            self._account(operation.scope, operation.call, answer, attempts, usd)
            self._write(operation, answer, error, attempts, ended, usd)
        finally:
            taken = held is not None and held.take(operation.span, ended if operation.own else None)
            if operation.own and not taken:
                operation.span.end(ended)

    def _write(
        self,
        operation: Operation,
        answer: Answer,
        error: str | None,
        attempts: Sequence[Attempt] | None,
        ended: int,
        usd: float | None,
    ) -> None:
        if not operation.own and not operation.span.is_recording():
            return  # ended by its maker; what was known before is on it
        attributes = _answer_attributes(operation, answer, attempts, usd)
        if (failure := error or answer.error) is not None:
            attributes[A.ERROR_TYPE] = failure
        if not operation.own:
            add_missing(operation.span, attributes)
            if error is not None and _foreign.is_of_an_attempt(operation.span):
                operation.span.set_status(ERROR)  # its maker has forgotten it: nobody else ends it
                operation.span.end(ended)
            elif error is None and operation.chunks and _foreign.is_forgotten(operation.span):
                operation.span.end(ended)
            return
        operation.span.set_attributes(attributes)
        if A.ERROR_TYPE in attributes:
            operation.span.set_status(ERROR)
        self._measure(operation, answer, attributes.get(A.ERROR_TYPE), ended)

    @guard
    def _measure(self, operation: Operation, answer: Answer, error_type: Any, ended: int) -> None:
        call, context = operation.call, set_span_in_context(operation.span)
        if (first := operation.first_chunk) is not None:
            last, count = operation.last_chunk, operation.chunks
            self._measures.chunks(call, answer, operation.started, first, last, count, context)
        self._measures.call(call, answer, error_type, (ended - operation.started) / 1e9, context)

    def _span_of(self, call: ModelCall) -> Span | None:
        """The span that somebody else started for this call: the current one, else one beside it of the same model."""
        current = trace.get_current_span()
        if self._was_started_for(current, call):
            return current
        for span in _foreign.waiting_beside(current):
            asked = (getattr(span, "attributes", None) or {}).get(A.GEN_AI_REQUEST_MODEL, call.model)
            meant = any(_foreign.same_model(asked, model) for model in (call.model, call.sent))
            if meant and self._was_started_for(span, call):
                return span
        return None

    def _was_started_for(self, span: Span, call: ModelCall) -> bool:
        """Whether this recording span stands for the very call that is being made, and for no other before it."""
        if not span.is_recording() or _foreign.is_ours(span) or span in self._taken:
            return False
        return _foreign.started_for(span, call.operation, call.model)

    @guard
    def _cost(self, call: ModelCall, answer: Answer, attempts: Sequence[Attempt] | None) -> float | None:
        """USD of the call, at the user's prices, else as the provider says. None: not known.

        Nobody is charged for a refusal.
        """
        if self._prices is None:
            return answer.usd
        if answer is NO_ANSWER and attempts and all(attempt.status >= _REFUSED for attempt in attempts):
            return 0.0
        found = _prices.cost(self._prices, call, answer)
        return answer.usd if found is None else found

    @guard
    def _account(
        self, scope: Scope, call: ModelCall, answer: Answer, attempts: Sequence[Attempt] | None, usd: float | None
    ) -> None:
        run, tokens = scope.run, (answer.input_tokens, answer.output_tokens)
        fetched = call.operation == FETCH
        if scope.judge is not None and answer.model and not fetched:
            scope.judge.models.append(answer.model)
        if run is not None and call.base is not None and answer is not NO_ANSWER:
            run.indexes.append(f"{call.base}@unknown")
            if call.lookup:
                run.retrieve(None if answer.found is None else _coerce.documents(answer.found))
        if run is not None and not call.lookup:
            if not fetched:
                run.calls.append((None if attempts is None else len(attempts), *tokens, usd))
            elif tokens != (None, None):
                run.fetched.append(tokens)
            if answer.asked and not call.forced and scope.judge is None:
                run.ask(near(name, arguments) for name, arguments in answer.asked)
            if answer.model is not None and _for_the_task(call, scope):
                run.facts[A.GEN_AI_RESPONSE_MODEL] = answer.model

    # -- what the helpers need

    def watch_provider(self) -> None:
        """Have scope facts stamped on everybody's spans of the provider in use; never sets the global one."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        if provider is not self._watched:
            self._watched = provider
            stamp_spans_of(provider)

    def start(self, name: str, attributes: Mapping[str, Value], kind: SpanKind = SpanKind.INTERNAL) -> Span:
        """A span of our own for something nobody wraps."""
        return self.tracer.start_span(name, kind=kind, attributes=attributes)

    def finish(self, span: Span, attributes: Mapping[str, Value], error_type: str | None = None) -> None:
        """End a span that `start` made; error_type also makes its status an error."""
        span.set_attributes(attributes)
        if error_type is not None:
            span.set_attribute(A.ERROR_TYPE, error_type)
            span.set_status(ERROR)
        span.end()

    def event(self, name: str, attributes: Mapping[str, Value], timestamp: int | None = None) -> None:
        """Emit an event in the current context. timestamp: ns since the epoch, None for now."""
        now = time_ns()
        logger: Logger = (self._logger_provider or get_logger_provider()).get_logger(_foreign.SCOPE, __version__)
        logger.emit(
            LogRecord(
                timestamp=timestamp or now,
                observed_timestamp=now,
                context=otel_context.get_current(),
                attributes=attributes,
                event_name=name,
            )
        )


def error_type(error: BaseException) -> str:
    """`error.type` of an exception: its canonical name, which is that of an exception event's `exception.type`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _for_the_task(call: ModelCall, scope: Scope) -> bool:
    """Whether the task's answer comes from this call; a judge's and an index's model are none of its identities."""
    return call.operation in INFERENCE and scope.judge is None


def add_missing(span: Span, attributes: Mapping[str, Value]) -> None:
    """Add what a foreign span does not have yet; what its maker wrote stays. One that has ended takes no more."""
    if not span.is_recording():
        return
    present = getattr(span, "attributes", None) or {}
    span.set_attributes({key: value for key, value in attributes.items() if key not in present})


def _request_attributes(call: ModelCall, scope: Scope) -> Attributes:
    attributes: Attributes = {A.GEN_AI_OPERATION_NAME: call.operation}
    if call.provider is not None:
        attributes[A.GEN_AI_PROVIDER_NAME] = call.provider
    if call.model is not None:
        attributes[A.GEN_AI_REQUEST_MODEL] = call.model
    attributes.update(call.attributes)
    attributes.update(scope.facts)
    if scope.judge is not None:
        attributes.update(scope.judge.facts)
    if scope.run is not None and scope.run.indexes:
        attributes[A.RETRIEVAL_INDEXES] = list(dict.fromkeys(scope.run.indexes))
    return attributes


def _answer_attributes(
    operation: Operation, answer: Answer, attempts: Sequence[Attempt] | None, usd: float | None
) -> Attributes:
    attributes = dict(answer.attributes)
    if usd is not None and answer is not NO_ANSWER:
        attributes[A.COST] = usd
    fetched = operation.call.operation == FETCH
    if answer is not NO_ANSWER and not operation.call.lookup and not fetched:
        attributes[A.MODEL_RESOLUTION] = resolution(operation.call.sent or operation.call.model, answer.model)
    if answer.model is not None:
        attributes[A.GEN_AI_RESPONSE_MODEL] = answer.model
    if answer.input_tokens is not None:
        attributes[A.GEN_AI_USAGE_INPUT_TOKENS] = answer.input_tokens
    if answer.output_tokens is not None:
        attributes[A.GEN_AI_USAGE_OUTPUT_TOKENS] = answer.output_tokens
    if operation.first_chunk is not None and not fetched:  # the convention: from when the generation is asked for
        attributes[A.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = (operation.first_chunk - operation.started) / 1e9
    if attempts is not None:
        attributes.update(_attempt_attributes(attempts))
    attributes.update(_echoed(operation.call, answer))
    return attributes


def _attempt_attributes(attempts: Sequence[Attempt]) -> Attributes:
    attributes: Attributes = {
        A.ATTEMPT_COUNT: len(attempts),
        A.ATTEMPT_STATUSES: [attempt.status for attempt in attempts],
    }
    if waits := [attempt.retry_after for attempt in attempts if attempt.retry_after is not None]:
        attributes[A.ATTEMPT_RETRY_AFTER] = waits
    return attributes


def _echoed(call: ModelCall, answer: Answer) -> Attributes:
    """The sampling values that only the provider's answer names."""
    sent = call.params or {}
    return {A.PARAM_SOURCE.format(name): "echoed" for name in answer.effective or () if name not in sent}


def resolution(asked: str | None, answered: str | None) -> str:
    """What the answer says about the alias: resolved to another id, echoed as it was asked, or unreported."""
    if answered is None:
        return "unreported"
    return "echoed" if answered == asked else "resolved"


_current: Telemetry | None = None


def using(**providers: Any) -> Telemetry:
    """The telemetry of an installation, from now on also that of the helpers.

    Without providers the global ones are used, and all installations share one instance.
    """
    if _current is None or any(provider is not None for provider in providers.values()):
        replace(Telemetry(_config.read(), **providers))
        get().watch_provider()
    return get()


def get() -> Telemetry:
    """The telemetry in use; over the global providers where nothing was installed."""
    return _current or using()


def replace(telemetry: Telemetry | None) -> Telemetry | None:
    """Use another telemetry from now on; the one used before is returned."""
    global _current
    before, _current = _current, telemetry
    if telemetry is not None:
        scopes.let_travel(telemetry.config.baggage)
    return before
