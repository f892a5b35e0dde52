"""One operation observed from its start to its end: the sinks of an installation are told of every step, once.

`Hooks` is what a sink can be told. A sink declares a hook by having a method of that name; the installation compiles
one tuple of bound methods per hook, so that a hook which no sink has costs an empty loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from otel_agentops._context import NO_SCOPE, Scope
from otel_agentops._guard import guard_step
from otel_agentops.operations import NO_ATTRIBUTES, Attempt, Attributes, ClientOperation, Operation, Result, Value

if TYPE_CHECKING:
    from opentelemetry.context import Context

Hook = Callable[..., object]


class Hooks(NamedTuple):
    """The functions that sinks have for each step, in the order of one operation; each gets the observation.

    started: the request is known. request_read: also given the body that it was read from. attempt_started: one try
    begins. request_sent: also given the exact bytes of that try, if the SDK has made them. attempt_finished: also given
    the `Attempt`. wire_received: also given the headers of the answer and its exact bytes, each None if the client
    does not have them. body_received: also given the bytes of a stream's body that the client has just read.
    response_received: also given the body or the SDK's object. chunk_received: also given the raw
    chunk. answer_known: the whole answer is known, though the application may not have it yet. ended: the operation is
    over; sinks are told in reverse order, so that what started first ends last.
    """

    started: tuple[Hook, ...]
    request_read: tuple[Hook, ...]
    attempt_started: tuple[Hook, ...]
    request_sent: tuple[Hook, ...]
    attempt_finished: tuple[Hook, ...]
    wire_received: tuple[Hook, ...]
    body_received: tuple[Hook, ...]
    response_received: tuple[Hook, ...]
    chunk_received: tuple[Hook, ...]
    answer_known: tuple[Hook, ...]
    ended: tuple[Hook, ...]


# How many arguments the functions of each hook get, the observation included.
_ARGUMENT_COUNTS = dict.fromkeys(Hooks._fields, 1) | {
    "request_read": 2,
    "request_sent": 2,
    "attempt_finished": 2,
    "wire_received": 3,
    "body_received": 2,
    "response_received": 2,
    "chunk_received": 2,
}


def compile_hooks(sinks: Iterable[object]) -> Hooks:
    """Return one tuple of guarded methods per hook, in the order of the sinks; for `ended` in reverse order.

    Exceptions of a sink with `has_content = True` may quote what people and models said, so their text is not logged.
    """
    ordered = tuple(sinks)

    def methods(name: str) -> tuple[Hook, ...]:
        return tuple(
            guard_step(_ARGUMENT_COUNTS[name], has_content=getattr(sink, "has_content", False))(getattr(sink, name))
            for sink in ordered
            if hasattr(sink, name)
        )

    return Hooks._make((*map(methods, Hooks._fields[:-1]), methods("ended")[::-1]))


class OperationSpan(Protocol):
    """The span of an operation: our own, another's, or none."""

    wants_early_answer: bool

    @property
    def context(self) -> Context | None:
        """Return the context for the client metrics of the operation; None if we do not record them."""

    def is_recording(self) -> bool:
        """Return False if its maker has ended it."""

    def attach(self) -> None:
        """Make the span current, if it is ours."""

    def detach(self) -> None:
        """Make the span before it current again, if it is ours."""

    def forget_context(self) -> None:
        """Leave the span attached in the context of another task or thread, which goes away with it."""

    def set_server(self, attributes: Mapping[str, Value]) -> None:
        """Write where the call goes."""

    def finish(self, observation: Observation) -> None:
        """Write the result and end the span, if it is ours."""


class NoSpan:
    """The absence of a span of ours: the operation is told by an event, or by a span that its maker writes."""

    __slots__ = ()
    wants_early_answer = False
    context: Context | None = None

    def is_recording(self) -> bool:
        """Return False: nothing can be written."""
        return False

    def attach(self) -> None:
        """Do nothing: there is no span."""

    detach = attach
    forget_context = attach

    def set_server(self, attributes: Mapping[str, Value]) -> None:
        """Do nothing: there is no span."""

    def finish(self, observation: Observation) -> None:
        """Do nothing: there is no span."""


NO_SPAN = NoSpan()


class Waits(Protocol):
    """The waits that servers asked for and that no request has followed yet."""

    pending: dict[tuple[object, ...], float]

    def add(self, operation: ClientOperation, seconds: float) -> None:
        """Remember a wait."""

    def end(self, operation: ClientOperation) -> None:
        """Count the wait that a request ends."""


class RateLimits(Protocol):
    """The last word of each provider about its limits.

    recent: Provider, model, headers and start of the call of each response since metrics were collected last.
    """

    recent: deque[tuple[str | None, str | None, Mapping[str, str], int]]


class Installation(Protocol):
    """The part of an installation that an observation needs."""

    hooks: Hooks

    @property
    def waits(self) -> Waits:
        """Return the waits that servers asked for."""

    @property
    def rate_limits(self) -> RateLimits | None:
        """Return what providers say about their limits; None if nobody collects it."""

    def open_span(self, observation: Observation) -> bool:
        """Derive the request's attributes and decide own, enrich or pass; return False to pass."""

    def derive_result(self, observation: Observation) -> None:
        """Derive what follows from the result, as far as it is known."""

    def close(self, observation: Observation) -> None:
        """Derive what follows from the result, and tell every sink that the operation has ended."""


class Observation:
    """One operation between its start and its end.

    Attributes:
        telemetry: The installation whose sinks are told.
        hooks: Those of its hooks that matter for this operation.
        operation: What is done; None until it is known.
        request_attributes: What is derived from it.
        late_attributes: Attributes that are known with the request and written with the result: where each parameter
            of a model call comes from, because the SDK takes five times as long for an attribute at the start of a
            span; what the operation does again; and what became of the content.
        scope: The scope in which it started.
        span: Its span, our own or another's; None until it has one, and if the operation passes unobserved.
        enclosing: The framework's operation that a tool call or a retrieval is a part of; None outside of one.
        is_counted: False if an operation around it counts for the task.
        is_suppressed: True if somebody asked that no span is started for it.
        started_ns, ended_ns: Times in ns since the epoch; ended_ns is 0 before the end.
        first_chunk_ns, last_chunk_ns, chunk_count: Of a stream; first_chunk_ns is None until a chunk came.
        attempts: The tries so far; None if the client hides them.
        sent_count: How many tries began.
        result: None if it failed before there was one.
        error_type: `error.type`; None if it succeeded.
        cost_usd: None if unknown.
        metric_labels: Attributes of the answer that the convention adds to the client metrics.
        content: What the sink of content keeps until the end; not set unless content is recorded.
        refusal: The HTTP status of the exception that a tool ended with; not set if it has none.
        recording: What the flight recorder keeps until the end; not set unless it is on.
    """

    __slots__ = (
        "__weakref__",
        "_end_token",
        "attempts",
        "chunk_count",
        "content",
        "cost_usd",
        "enclosing",
        "ended_ns",
        "error_type",
        "first_chunk_ns",
        "hooks",
        "is_counted",
        "is_suppressed",
        "last_chunk_ns",
        "late_attributes",
        "metric_labels",
        "operation",
        "recording",
        "refusal",
        "request_attributes",
        "result",
        "scope",
        "sent_count",
        "span",
        "started_ns",
        "telemetry",
    )

    content: object
    refusal: int
    recording: Any

    def __init__(self, telemetry: Installation) -> None:
        self.telemetry = telemetry
        self.hooks = telemetry.hooks
        self.operation: Operation | None = None
        self.request_attributes: Attributes = {}
        self.late_attributes: Attributes = NO_ATTRIBUTES
        self.scope: Scope = NO_SCOPE
        self.span: OperationSpan | None = None
        self.enclosing: PendingForeignOperation | None = None
        self.is_counted = True
        self.is_suppressed = False
        self.started_ns = time_ns()
        self.ended_ns = 0
        self.first_chunk_ns: int | None = None
        self.last_chunk_ns = 0
        self.chunk_count = 0
        self.attempts: list[Attempt] | None = None
        self.sent_count = 0
        self.result: Result | None = None
        self.error_type: str | None = None
        self.cost_usd: float | None = None
        self.metric_labels: tuple[str, ...] = ()
        self._end_token = [True]  # popped by whoever ends it: a list's pop is atomic between threads

    @property
    def is_open(self) -> bool:
        """Return True until it has ended."""
        return bool(self._end_token)

    def start(self, operation: Operation) -> bool:
        """Start the operation; return False if it passes unobserved."""
        self.operation = operation
        if not self.telemetry.open_span(self):
            return False
        for hook in self.hooks.started:
            hook(self)
        return True

    def adopt(self, operation: Operation, scope: Scope) -> None:
        """Start an operation whose span somebody else has started and writes by himself."""
        self.operation = operation
        self.scope = scope
        self.span = NO_SPAN
        for hook in self.hooks.started:
            hook(self)

    def finish(self, result: Result | None, error_type: str | None = None) -> bool:
        """End the operation; return False, and do nothing, if it has ended before.

        Args:
            result: None if it failed before there was one.
            error_type: `error.type` of the exception that it ended with; None if there was none.
        """
        try:
            self._end_token.pop()
        except IndexError:
            return False
        if self.span is not None:
            self.ended_ns = time_ns()
            self.result = result
            self.error_type = error_type
            self.telemetry.close(self)
        return True


class PendingForeignOperation:
    """A tool execution or a retrieval of a framework whose span has started and not yet ended.

    Attributes:
        observation: The framework's operation.
        arguments_hash: Of the tool call, if an operation of ours inside knows the arguments; else None.
        knows_documents: True if a retrieval of ours inside has recorded what was found.
    """

    __slots__ = ("__weakref__", "arguments_hash", "knows_documents", "observation")

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self.arguments_hash: int | None = None
        self.knows_documents = False
