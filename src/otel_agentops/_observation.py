"""One call observed: opened before it leaves, closed once, whatever way it ends.

What a client's calls say is in its `Endpoint`s (four pure functions); what is the same for all clients is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from time import time_ns
from typing import Any, NamedTuple

from opentelemetry.context import detach
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_agentops._deferred_work import later
from otel_agentops._guard import guard
from otel_agentops._patching import Client
from otel_agentops._telemetry import NO_ANSWER, Operation, Telemetry, error_type
from otel_agentops.operations import Answer, Attempt, ModelCall


class Endpoint(NamedTuple):
    """The four pure functions of one operation of one client.

    request: wire body and the client's facts to a ModelCall. response: the client's result object, or the decoded
    JSON body, to an Answer. fold: one chunk into the state, True on the last one. settled: the state to an Answer.
    status: the HTTP status that an exception of the client is about, None where it says so itself.
    failure: `error.type` of an exception whose class does not say what failed, None where the class does.
    attempts: False where the client's transport repeats requests by itself: then nothing is known of attempts.
    """

    request: Callable[[Mapping[str, Any], Any], ModelCall]
    response: Callable[[Any], Answer]
    fold: Callable[[dict[str, Any], Any], bool]
    settled: Callable[[dict[str, Any]], Answer]
    status: Callable[[BaseException], int | None] | None = None
    failure: Callable[[BaseException], str | None] | None = None
    attempts: bool = True


class Watch:
    """One call of the application, from before it leaves until its answer, its error or its last chunk is known.

    The call itself is never made here. Every method is guarded: whatever fails inside, the call goes on.
    """

    __slots__ = (
        "__weakref__",
        "answer",
        "asked",
        "attempts",
        "endpoint",
        "operation",
        "outer",
        "pending",
        "sent",
        "served",
        "started",
        "state",
        "telemetry",
        "token",
        "told",
        "wide",
    )

    def __init__(self, telemetry: Telemetry, endpoint: Endpoint, outer: Watch | None = None) -> None:
        self.telemetry = telemetry
        self.endpoint = endpoint
        self.outer = outer  # the call of another client that this one may be an attempt of; see `leaving`
        self.wide = False  # whether what other clients send meanwhile is this call on its way
        self.asked: Any = None  # the request as the client's own method made it, where its adapter wants it
        self.started = time_ns()
        self.sent = 0
        self.served: str | None = None  # the model, where the response's head names it better than its body
        self.attempts: list[Attempt] | None = [] if endpoint.attempts else None  # None: unknown
        self.state: dict[str, Any] = {}
        self.operation: Operation | None = None
        self.answer: Answer | None = None
        self.pending = [True]  # popped by whoever ends the call: a list's pop is atomic between threads

    def __enter__(self) -> Watch:
        self.token = WATCH.set(self)
        self.told = self.telemetry.hush()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            WATCH.reset(self.token)
        except ValueError:  # an unfinished coroutine, closed from another context: what it left is in its own
            self.told = None
            if self.operation is not None:
                self.operation.token = None
        if error is None:
            self.returned()
        else:
            self.failed(error)
        if self.told is not None:
            detach(self.told)

    @guard
    def opening(self, call: ModelCall) -> None:
        """The call is known before anything is sent; again where the foreign span of a former try has ended."""
        operation = self.operation
        if operation is None and self._joins(call):
            return
        if operation is None or not (operation.own or operation.span.is_recording()):
            self._open(call)
            self._keep_attempts()

    def _open(self, call: ModelCall) -> None:
        self.operation = self.telemetry.open(call, self.started)
        if self.operation is not None and not self._is_here():
            self.operation.token = None  # current in the context of a task or thread, and gone with it

    def _is_here(self) -> bool:
        """Whether this is the context that the watch was entered in."""
        try:
            WATCH.reset(self.token)
        except ValueError:
            return False
        self.token = WATCH.set(self)
        return True

    @guard
    def leaving(self, body: Mapping[str, Any] | None, facts: Any = None) -> None:
        """The request goes out, for the first time or again; the first body opens the operation.

        Inside a call of another client that has sent this very request it is an attempt of that one, and no operation.
        body: None where the call is open by now.
        """
        if not self.pending:
            return  # given up while another thread still made the request
        self.sent += 1
        if self.sent == 1 and body is not None:
            call = self.endpoint.request(body, facts)
            if not self._joins(call):
                self._open(call)
        elif self.operation is not None:
            self.telemetry.follow(self.operation)
        elif self.outer is not None:
            self.outer.sent_again()
        self._keep_attempts()

    def _joins(self, call: ModelCall) -> bool:
        """Whether this is an attempt of the call of another client around it, which is told where it goes."""
        if self.outer is not None and not self.outer.sends(call):
            self.outer = None
        if self.outer is not None:
            self.outer.directed(None, call.attributes)
        return self.outer is not None

    def sends(self, call: ModelCall) -> bool:
        """Whether the call that another client is about to make is this one: the same operation, and one is due."""
        operation = self.operation
        if operation is None:
            return self.outer is not None and self.outer.sends(call)
        return bool(self.pending) and self.unanswered and operation.call.is_like(call)

    def sent_again(self) -> None:
        """Another client inside tries again by itself."""
        if not self.unanswered:
            self.sent += 1
            self._keep_attempts()
        if self.outer is not None:
            self.outer.sent_again()

    @guard
    def directed(self, provider: str | None, attributes: Mapping[str, Any], sent: str | None = None) -> None:
        """Where the call goes is known now, or is another place than that of a former try.

        provider: None where nothing new is known of it. attributes: `server.*` among others. sent: the model.
        """
        if self.operation is not None:
            self.telemetry.direct(self.operation, provider, attributes, sent)
        elif self.outer is not None:
            self.outer.directed(provider, attributes, sent)

    @guard
    def here(self) -> None:
        """The call goes on in this context, after a step of it ran in a copy: our span is current here as well."""
        if self.operation is not None and self.operation.own:
            self.telemetry.enter(self.operation)

    @guard
    def attempted(self, status: int, retry_after: float | None = None) -> None:
        """One attempt is over. status: 0 where no response came."""
        if self.attempts is not None:
            self.attempts.append(Attempt(status, retry_after))
            self._keep_attempts()
        if self.outer is not None:
            self.outer.attempted(status, retry_after)

    @property
    def unanswered(self) -> bool:
        """Whether the attempt that was sent last is not over, as far as attempts are known."""
        return self.attempts is not None and self.sent > len(self.attempts)

    def _keep_attempts(self) -> None:
        if self.operation is not None and not self.operation.own and self.attempts is not None:
            self.telemetry.attempted(self.operation, self.sent, self.attempts)

    @guard
    def answered(self, result: Any) -> None:
        """The whole answer is known, though perhaps not yet handed to the application."""
        self.answer = NO_ANSWER  # an answer came, also where it cannot be read
        self.answer = self._of_served(self.endpoint.response(result))
        if self.operation is not None:
            self.telemetry.settle(self.operation, self.answer, self.attempts)
        self._tell()

    @guard
    def chunk(self, chunk: Any) -> None:
        """One chunk of a stream, on its way to the application."""
        operation = self.operation
        if operation is None:
            if self.outer is not None:
                self.endpoint.fold(self.state, chunk)
            return
        operation.last_chunk = now = time_ns()
        operation.chunks += 1
        if operation.first_chunk is None:
            operation.first_chunk = now
        if self.endpoint.fold(self.state, chunk) and not operation.own:
            self.telemetry.settle(operation, self._settled(), self.attempts)

    @guard
    def returned(self) -> None:
        """The application gets its result; where that is a stream or an unread body, the answer is still to come."""
        if self.operation is not None:
            self.telemetry.leave(self.operation)
        if self.answer is not None:
            self.end()

    @guard
    def failed(self, error: BaseException) -> None:
        """The call raised. A stream's failure after its response is `end`."""
        if self.operation is not None:
            self.telemetry.leave(self.operation)
        if self.unanswered:
            self.refused(error)
        self.end(error)

    @guard
    def refused(self, error: BaseException) -> None:
        """The attempt that is out was refused, or nothing came."""
        response = getattr(error, "response", error)
        status = None if self.endpoint.status is None else self.endpoint.status(error)
        if status is None:
            status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        self.attempted(status if type(status) is int else 0, retry_after(getattr(response, "headers", None)))

    @guard
    def end(self, error: BaseException | None = None) -> None:
        """The call is over; only the first of several endings counts."""
        try:
            self.pending.pop()
        except IndexError:
            return
        if self.operation is not None:
            if self.answer is None and self.state:
                self._settle()
            failure = None if error is None else self._named(error) or error_type(error)
            self.telemetry.close(self.operation, self.answer, failure, self.attempts)
        elif self.outer is not None and self.state:
            self._settle()
            self._tell()

    def _tell(self) -> None:
        """Pass on which model answered: the client itself knows it from the wire."""
        if self.outer is not None and self.answer is not None and self.answer.model is not None:
            self.outer.served = self.answer.model

    @guard
    def _named(self, error: BaseException) -> str | None:
        return None if self.endpoint.failure is None else self.endpoint.failure(error)

    @guard
    def _settle(self) -> None:
        self.answer = self._settled()

    def _settled(self) -> Answer:
        return self._of_served(self.endpoint.settled(self.state))

    def _of_served(self, answer: Answer) -> Answer:
        return answer if self.served is None else answer._replace(model=self.served)

    def dropped(self) -> None:
        """The application has dropped its stream, or the event loop closes it."""
        if self.pending and self.operation is not None:
            later(self.end)

    __del__ = dropped


WATCH: ContextVar[Watch | None] = ContextVar("otel_agentops.watch", default=None)
UNOBSERVED: AbstractContextManager[None] = nullcontext()


class _Hidden:
    """A call that passes inside an observed one, say in a hook: the outer watch is not told about it."""

    def __enter__(self) -> None:
        self.token = WATCH.set(None)

    def __exit__(self, *raised: object) -> None:
        with suppress(ValueError):  # closed from another context
            WATCH.reset(self.token)


def unobserved(asked: Any) -> AbstractContextManager[None]:
    """What an unobserved call runs in. asked: its request; that of the current watch is the same call once more."""
    watch = WATCH.get()
    return UNOBSERVED if watch is None or watch.asked is asked else _Hidden()


def begin(client: Client, endpoint: Endpoint | None) -> Watch | None:
    """A watch over a call that is about to be made; None where it is to pass unobserved."""
    if endpoint is None or not client.active or client.telemetry is None or not is_instrumentation_enabled():
        return None
    outer = WATCH.get()
    return Watch(client.telemetry, endpoint, outer if outer is not None and outer.wide else None)


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """The seconds a response asked to wait (RFC 9110 section 10.2.3, or `retry-after-ms`), None where it did not."""
    if not headers:
        return None
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    return seconds if seconds is not None or given is None else _until(given)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
