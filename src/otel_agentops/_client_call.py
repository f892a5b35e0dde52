"""One call of a client library, observed from before its request leaves until its answer, its error or its last chunk.

What a client's calls say is read by its `Endpoint`s; what is the same for all clients is here. An adapter tells the
steps by verbs and never looks inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from time import time_ns
from typing import Any, Generic, Protocol, cast

from opentelemetry.context import detach, get_current
from opentelemetry.trace import get_current_span
from typing_extensions import Self, TypeVar

from otel_agentops._body_bytes import follow_body
from otel_agentops._context import detach_baggage
from otel_agentops._deferred_work import defer
from otel_agentops._derive import name_error
from otel_agentops._endpoint import Endpoint, FoldState
from otel_agentops._foreign_spans import (
    is_model_call_suppressed,
    is_ours,
    is_suppressed,
    recording_siblings,
)
from otel_agentops._guard import guard, guard_step
from otel_agentops._observation import Installation, Observation
from otel_agentops._retry_after import parse_retry_after
from otel_agentops._sinks.spans import is_remote
from otel_agentops.operations import (
    NO_ANSWER,
    OTHER_ERROR,
    Answer,
    Attempt,
    Fetch,
    LibraryOperation,
    LibraryResult,
    ModelCall,
    Result,
    Retrieval,
    Value,
)
from otel_agentops.semconv import attributes as A

C = TypeVar("C", default=Any)  # the context of a call: what its family of clients needs to know of it


class ClientCall(Observation, Generic[C]):
    """One call that the application makes through a client library.

    The call itself is never made here. Every method is guarded: whatever fails inside, the call goes on.

    Attributes:
        context: What the family of clients needs to know of the call; typed by the family.
        endpoint: The pure functions that read it.
        accepts_nested: True if what other client libraries send meanwhile is this call on its way.
        body: What the operation was read from, until it ends: if it fails, what follows is compared with it.
    """

    __slots__ = (
        "_active_token",
        "_baggage_token",
        "_fold_state",
        "_outer",
        "_served_model",
        "accepts_nested",
        "body",
        "context",
        "endpoint",
    )

    def __init__(
        self,
        telemetry: Installation,
        endpoint: Endpoint,
        context: C,
        outer: ClientCall | None = None,
        accepts_nested: bool = False,
    ) -> None:
        super().__init__(telemetry)
        self.endpoint = endpoint
        self.context = context
        self.accepts_nested = accepts_nested
        self.attempts = [] if endpoint.reports_attempts else None
        self.metric_labels = endpoint.metric_labels
        self._outer = outer  # the call of another library that this one may be an attempt of
        self._served_model: str | None = None
        self._fold_state: FoldState = {}

    def __enter__(self) -> Self:
        self._active_token = ACTIVE_CALL.set(self)
        self._baggage_token = _keep_facts_here()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            ACTIVE_CALL.reset(self._active_token)
        except ValueError:  # an unfinished coroutine, closed from another context: what it left is in its own
            self._baggage_token = None
            if self.span is not None:
                self.span.forget_context()
        if error is None:
            self._return()
        else:
            self.call_failed(error)
        if self._baggage_token is not None:
            detach(self._baggage_token)

    # -- what adapters may ask

    @property
    def has_started(self) -> bool:
        """Return True if the operation is known and observed."""
        return self.span is not None

    @property
    def has_sent(self) -> bool:
        """Return True if at least one attempt has begun."""
        return self.sent_count > 0

    @property
    def has_answer(self) -> bool:
        """Return True if the whole answer has come."""
        return self.result is not None

    @property
    def is_attempt_in_flight(self) -> bool:
        """Return True while the last attempt is in flight; False if the client hides its retries."""
        return self.attempts is not None and self.sent_count > len(self.attempts)

    @property
    def is_preparing(self) -> bool:
        """Return True if a stream has begun, and its request may be sent for the next item only."""
        return False

    @property
    def wants_content(self) -> bool:
        """Return True if a sink wants the exact bytes of each request."""
        return bool(self.hooks.request_sent)

    @property
    def wants_early_answer(self) -> bool:
        """Return True if the answer has to be told as soon as it is known: a foreign span may end before the call."""
        return self.span is not None and self.span.wants_early_answer

    # -- verbs

    def let_facts_travel(self) -> None:
        """Leave the facts of the scope in the baggage of this call, which goes to no provider of models."""
        token, self._baggage_token = self._baggage_token, None
        if token is not None:
            detach(token)

    @guard
    def operation_known(self, operation: LibraryOperation, body: Mapping[str, Any]) -> None:
        """Start the operation before anything is sent; again if the foreign span of a former try has ended.

        body: what the operation was read from.
        """
        if self.span is None and self._is_attempt_of_outer(operation):
            return
        if self.span is None or not self.span.is_recording():
            self.body: Mapping[str, Any] | None = body
            self._start_here(operation)
            for hook in self.hooks.request_read:
                hook(self, body)

    @guard
    def attempt_started(self, body: Mapping[str, Any] | None, facts: Any = None) -> None:
        """Record that a request is about to leave, for the first time or again; the first one starts the operation.

        Inside a call of another library that has sent this very request it is an attempt of that one, and no operation.

        Args:
            body: The wire body; None if the operation is known by now. Only the first is read.
            facts: Given to the endpoint's `request` beside it.
        """
        if not self._end_token:
            return  # given up while another thread still made the request
        self.sent_count += 1
        if self.sent_count == 1 and body is not None:
            operation = self.endpoint.request(body, facts)
            if not self._is_attempt_of_outer(operation):
                self.body = body
                self._start_here(operation)
                for hook in self.hooks.request_read:
                    hook(self, body)
        elif self.span is None and self._outer is not None:
            self._outer.nested_attempt_started()
        if self.telemetry.waits.pending:
            self._end_wait()
        if self.span is not None:
            for hook in self.hooks.attempt_started:
                hook(self)

    @guard_step(2)
    def request_sent(self, content: Any) -> None:
        """Hand the exact bytes of this attempt to the sinks that want them.

        content: bytes, or an object that the SDK serialises to them (a protobuf message).
        """
        call = self if self.span is not None else self._observed_call()
        if call.span is not None:
            for hook in call.hooks.request_sent:
                hook(call, content)

    @guard
    def attempt_finished(
        self, status: int, retry_after: float | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Record the end of one attempt.

        Args:
            status: HTTP status; 0 if no response came.
            retry_after: Seconds that the server asked to wait; None if it did not.
            headers: Of the response, for what they say about limits, which is read when metrics are collected.
        """
        if retry_after is not None and self.span is not None and is_remote(self.operation):
            self.telemetry.waits.add(self.operation, retry_after)
        if headers is not None and self.span is not None and (limits := self.telemetry.rate_limits) is not None:
            operation: Any = self.operation
            limits.recent.append((operation.provider, operation.model, headers, self.started_ns))
        if self.attempts is not None:
            attempt = Attempt(status, retry_after)
            self.attempts.append(attempt)
            if self.span is not None:
                for hook in self.hooks.attempt_finished:
                    hook(self, attempt)
        if self._outer is not None:
            self._outer.attempt_finished(status, retry_after, headers)

    @guard
    def attempt_failed(self, error: BaseException) -> None:
        """Record that the attempt in flight was refused, or that nothing came."""
        response = getattr(error, "response", error)
        status = None if self.endpoint.status is None else self.endpoint.status(error)
        if status is None:
            status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        self.attempt_finished(
            status if type(status) is int else 0, parse_retry_after(getattr(response, "headers", None))
        )

    @guard
    def set_server(
        self, provider: str | None, attributes: Mapping[str, Value], routed_model: str | None = None
    ) -> None:
        """Record where the call goes, if that is known only now or is another place than that of a former try.

        Args:
            provider: `gen_ai.provider.name`; None if nothing new is known of it.
            attributes: `server.*` among others.
            routed_model: The model that is sent there.
        """
        if self.span is None:
            if self._outer is not None:
                self._outer.set_server(provider, attributes, routed_model)
            return
        operation = self.operation
        place: dict[str, Value] = {
            key: attributes[key] for key in (A.SERVER_ADDRESS, A.SERVER_PORT) if key in attributes
        }
        if provider is not None:
            place[A.GEN_AI_PROVIDER_NAME] = provider
        if isinstance(operation, (ModelCall, Fetch, Retrieval)):
            operation = operation._replace(
                provider=provider or operation.provider, attributes={**operation.attributes, **place}
            )
        if isinstance(operation, ModelCall) and routed_model not in (None, operation.model):
            operation = operation._replace(routed_model=routed_model)
        self.operation = operation
        self.span.set_server(place)

    @guard
    def reattach(self) -> None:
        """Make our span current here as well, after a step of the SDK ran in a copy of the context (worker thread)."""
        if self.span is not None:
            self.span.attach()

    def use_endpoint(self, endpoint: Endpoint) -> None:
        """Read the call with other functions: which ones is known only now."""
        self.endpoint = endpoint
        self.metric_labels = endpoint.metric_labels

    def head_received(self, served_model: str | None = None, **fold_facts: Any) -> None:
        """Record what the head of the response says before its body is read.

        Args:
            served_model: The model, if a header names it better than the body.
            fold_facts: Put into the state that the endpoint folds chunks into.
        """
        if served_model is not None:
            self._served_model = served_model
        self._fold_state.update(fold_facts)

    @guard
    def wire_received(self, headers: Mapping[str, str] | None, content: bytes | None = None) -> None:
        """Hand the headers and the exact bytes of the answer to the sinks that want them.

        Args:
            headers: None if the client does not have them.
            content: The whole body; None if it streams, or if the client has not kept it.
        """
        call = self if self.span is not None else self._observed_call()
        if call.span is not None:
            for hook in call.hooks.wire_received:
                hook(call, headers, content)

    def follow_body(self, response: Any) -> None:
        """Hand the bytes of a stream to the sinks that want them, as the client reads them from a response of httpx."""
        call = self._observed_call()
        if call.span is not None and call.hooks.body_received:
            follow_body(response, call.body_received)

    @guard_step(2)
    def body_received(self, data: bytes) -> None:
        """Hand on what the client has just read of a stream's body."""
        if self.is_open:
            for hook in self.hooks.body_received:
                hook(self, data)

    @guard_step(2)
    def response_received(self, result: Any) -> None:
        """Record that the whole answer has come, though the application may not have it yet.

        result: what the endpoint's `response` reads: the client's object or the decoded body.
        """
        self.result = NO_ANSWER  # an answer came, even if it cannot be read
        self.result = self._with_served_model(self.endpoint.response(result))
        if self.span is not None:
            for hook in self.hooks.response_received:
                hook(self, result)
            self._tell_answer()
        self._pass_model_on()

    @guard_step(2)
    def chunk_received(self, chunk: Any) -> None:
        """Record one chunk of a stream on its way to the application."""
        if self.span is None:
            if self._outer is not None:
                self.endpoint.fold(self._fold_state, chunk)
            return
        self.last_chunk_ns = now = time_ns()
        self.chunk_count += 1
        if self.first_chunk_ns is None:
            self.first_chunk_ns = now
        for hook in self.hooks.chunk_received:
            hook(self, chunk)
        if self.endpoint.fold(self._fold_state, chunk) and self.span.wants_early_answer:
            result, self.result = self.result, self._finish_fold()
            self._tell_answer()
            self.result = result  # the last chunk may not be the last one: read once more at the end

    @guard
    def call_failed(self, error: BaseException) -> None:
        """End a call that raised; a stream that fails after its response ends by `end`."""
        if self.span is not None:
            self.span.detach()
        if self.is_attempt_in_flight:
            self.attempt_failed(error)
        if self.hooks.wire_received:
            self._show_error_body(error)
        self.end(error)

    @guard
    def end(self, error: BaseException | None = None) -> None:
        """End the call; only the first of several endings counts.

        error: the exception that it ended with; None if it ended well or was left early.
        """
        if not self.is_open:
            return
        if self.result is None and self._fold_state and (self.span is not None or self._outer is not None):
            self._finish_fold_quietly()
        if self.span is None:
            self.finish(self.result)
            self._pass_model_on()
            return
        error_type = None if error is None else self._name_error(error) or name_error(error)
        self.finish(self.result, error_type)
        self.body = None

    @guard
    def stream_finished(self) -> None:
        """End the call of a stream that was read to its end.

        A stream without any chunk is no answer: a gateway that fails writes one JSON object, which no client sees.
        """
        if (
            self.result is None
            and not self.chunk_count
            and self.span is not None
            and isinstance(self.operation, ModelCall)
        ):
            self.result = NO_ANSWER._replace(error=OTHER_ERROR)
        self.end()

    def abandon(self) -> None:
        """End a call whose stream the application has dropped, or whose event loop closes; on another thread."""
        if self.is_open and self.span is not None:
            defer(self.end)

    __del__ = abandon

    # -- nested calls: another library makes this call's attempts

    def expects(self, operation: LibraryOperation) -> bool:
        """Return True if an operation that another library is about to start is an attempt of this call."""
        if self.span is None:
            return self._outer is not None and self._outer.expects(operation)
        return (
            self.is_open and self.is_attempt_in_flight and cast("LibraryOperation", self.operation).matches(operation)
        )

    def nested_attempt_started(self) -> None:
        """Record a retry made by a nested client."""
        if not self.is_attempt_in_flight:
            self.sent_count += 1
            if self.telemetry.waits.pending:
                self._end_wait()
            if self.span is not None:
                for hook in self.hooks.attempt_started:
                    hook(self)
        if self._outer is not None:
            self._outer.nested_attempt_started()

    def _is_attempt_of_outer(self, operation: LibraryOperation) -> bool:
        """Return True if this is an attempt of the call around it, which is then told where it goes."""
        if self._outer is not None and not self._outer.expects(operation):
            self._outer = None
        if self._outer is not None:
            self._outer.set_server(None, operation.attributes)
        return self._outer is not None

    def _observed_call(self) -> ClientCall:
        """Return the call that is observed for this one: itself, or the one that it is an attempt of."""
        return self if self.span is not None or self._outer is None else self._outer._observed_call()

    def _pass_model_on(self) -> None:
        """Tell the call around which model answered: the client itself knows it from the wire."""
        if self._outer is not None and isinstance(self.result, Answer) and self.result.model is not None:
            self._outer._served_model = self.result.model

    # -- inside

    def _start_here(self, operation: LibraryOperation) -> None:
        if self.start(operation) and self.span is not None and not self._is_entered_here():
            self.span.forget_context()  # current in the context of a task or thread, and gone with it

    def _is_entered_here(self) -> bool:
        """Return True if this is the context that the call was entered in."""
        try:
            ACTIVE_CALL.reset(self._active_token)
        except ValueError:
            return False
        self._active_token = ACTIVE_CALL.set(self)
        return True

    def _end_wait(self) -> None:
        operation = self._observed_call().operation
        if is_remote(operation):
            self.telemetry.waits.end(operation)

    @guard
    def _return(self) -> None:
        """Leave the call; of a stream or an unread body the answer is still to come."""
        if self.span is not None:
            self.span.detach()
        if self.result is not None:
            self.end()

    def _tell_answer(self) -> None:
        if self.span is not None and self.span.wants_early_answer:
            self.telemetry.derive_result(self)
        for hook in self.hooks.answer_known:
            hook(self)

    def _finish_fold(self) -> Result:
        return self._with_served_model(self.endpoint.finish_fold(self._fold_state))

    @guard
    def _finish_fold_quietly(self) -> None:
        self.result = self._finish_fold()

    def _show_error_body(self, error: BaseException) -> None:
        """Hand over the answer that refuses the call, if the client has read it: its exception has it with it.

        Ollama's does not, but hides that of httpx. Any other context may be an exception that the application handles.
        """
        for source in (error, error.__context__ if error.__suppress_context__ else None):
            response = getattr(source, "response", None)  # one of `requests` that tells of an error is False
            if response is None:
                response = getattr(source, "raw_response", None)
            # `content` would read what nobody has read; aiohttp's is `_body`.
            content = getattr(response, "_content", None) or getattr(response, "_body", None)
            if isinstance(content, bytes) and content:
                self.wire_received(getattr(response, "headers", None), content)
                return

    @guard
    def _name_error(self, error: BaseException) -> str | None:
        return None if self.endpoint.error_type is None else self.endpoint.error_type(error)

    def _with_served_model(self, result: LibraryResult) -> LibraryResult:
        is_answer = self._served_model is not None and isinstance(result, Answer)
        return cast("Answer", result)._replace(model=self._served_model) if is_answer else result


_keep_facts_here = guard(detach_baggage)
ACTIVE_CALL: ContextVar[ClientCall | None] = ContextVar("otel_agentops.active_call", default=None)
UNOBSERVED: AbstractContextManager[None] = nullcontext()


class _HiddenCall:
    """A call that passes inside an observed one, say in a hook: the outer call is not told about it."""

    def __enter__(self) -> None:
        self.token = ACTIVE_CALL.set(None)

    def __exit__(self, *raised: object) -> None:
        with suppress(ValueError):  # closed from another context
            ACTIVE_CALL.reset(self.token)


class Library(Protocol):
    """The part of a patched library that `begin_call` needs."""

    active: bool
    telemetry: Any


def active_call(context_type: type[C]) -> ClientCall[C] | None:
    """Return the call that this code runs in, if it was begun by the family with this type of context."""
    call = ACTIVE_CALL.get()
    return call if call is not None and type(call.context) is context_type else None


def begin_call(
    library: Library,
    endpoint: Endpoint | None,
    context: C = None,  # type: ignore[assignment]
    *,
    accepts_nested: bool = False,
    kind: type[ClientCall[C]] = ClientCall,
) -> ClientCall[C] | None:
    """Return the observation of a call that is about to be made; None if it is to pass unobserved.

    Args:
        library: The client library that makes it.
        endpoint: The pure functions that read it; None if it is none that is observed.
        context: What the family of clients needs to know of it.
        accepts_nested: True if what other client libraries send meanwhile is this call on its way.
        kind: The class of the observation.
    """
    if endpoint is None or not library.active or library.telemetry is None:
        return None
    outer = ACTIVE_CALL.get()
    otel_context = get_current()
    if otel_context and is_suppressed(otel_context):
        if outer is not None or not _may_be_traced_here():
            return None
        should_pass = True
    else:
        should_pass = bool(otel_context) and is_model_call_suppressed(otel_context)
    if outer is None and not library.telemetry.may_record():
        return None
    enclosing = outer if outer is not None and outer.accepts_nested else None
    call = kind(library.telemetry, endpoint, context, enclosing, accepts_nested)
    if should_pass:
        call.is_suppressed = True
    return call


def _may_be_traced_here() -> bool:
    """Return True if somebody else has a recording span that may have been started for a call that is made here.

    Logfire makes one, and suppresses all others while it is current.
    """
    current = get_current_span()
    return (current.is_recording() and not is_ours(current)) or any(recording_siblings(current))


def pass_unobserved(is_same_call: bool = False) -> AbstractContextManager[None]:
    """Return the context in which an unobserved call runs: the call around it is not told about it.

    is_same_call: True if it is the active call's own request once more.
    """
    return UNOBSERVED if is_same_call or ACTIVE_CALL.get() is None else _HiddenCall()
