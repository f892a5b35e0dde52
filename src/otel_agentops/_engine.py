"""One call observed: patched in from data, opened before it leaves, closed once, whatever way it ends.

An adapter is data: `Target`s (where to patch, with what) and `Endpoint`s (four pure functions). Everything that is
the same for all clients is here: install and uninstall, the watch over one call, streams that end exactly once.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from time import time_ns
from typing import Any, ClassVar, NamedTuple

import wrapt
from opentelemetry.context import detach
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from otel_agentops import _telemetry
from otel_agentops._finalize import later
from otel_agentops._safe import guard, log
from otel_agentops._telemetry import NO_ANSWER, Operation, Telemetry, error_type
from otel_agentops.record import Answer, Attempt, ModelCall


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


class Target(NamedTuple):
    """A place to patch. wrap: the original function to its replacement, which calls it unless `Client.active` is off.

    owner: the class in the module; empty for a function of the module itself.
    parameters: names that the original's signature must have; where they are missing the target is left alone.
    own_only: patch only where the class itself defines the name, e.g. because somebody patched it there before us.
    unless: a name of newer versions that is patched in the place of this one; where the class has it, this is left out.
    optional: some of the supported versions do not have it, and no word is lost about that.
    """

    module: str
    owner: str
    name: str
    wrap: Callable[[Callable[..., Any], Client], Callable[..., Any]]
    parameters: tuple[str, ...] = ()
    own_only: bool = False
    unless: str = ""
    optional: bool = False

    @property
    def expected(self) -> bool:
        """Whether every version has it."""
        return not self.own_only and not self.unless and not self.optional


class Patch:
    """One replaced attribute of a class or module, and how to put the original back."""

    def __init__(self, target: Target, owner: Any, original: Any, replacement: Any) -> None:
        self.target = target
        self.owner = owner
        self.inherited = target.name not in vars(owner)
        self.original = original
        self.replacement = replacement

    def apply(self) -> None:
        """Put the replacement in place."""
        setattr(self.owner, self.target.name, self.replacement)

    def undo(self) -> bool:
        """Put the original back; False, and nothing done, where somebody else has wrapped ours meanwhile."""
        name = self.target.name
        # A class may keep what is set on it somewhere else: then reading gives it back.
        if vars(self.owner).get(name, getattr(self.owner, name, None)) is not self.replacement:
            return False
        if self.inherited:
            delattr(self.owner, self.target.name)
        else:
            setattr(self.owner, self.target.name, self.original)
        return True


class Tracing(NamedTuple):
    """A client's own tracing, on by default. versions: that have it. variable: turns it off when it is `off`."""

    versions: str
    variable: str
    off: str


class Support(NamedTuple):
    """What the README's table and `doctor` say of a client; operations, native and not_covered are clauses.

    operations: what is observed, e.g. "chat", "embeddings". native: the client's own tracing and what we do beside it,
    None where it has none. not_covered: what the client can do that passes unobserved, with the reason where it is not
    plain. peers: distributions that instrument the client as well. tracing: how its own is turned off, where it is on.
    """

    operations: tuple[str, ...] = ()
    native: str | None = None
    not_covered: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    tracing: Tracing | None = None


UNTOLD = Support()


class Client:
    """One patched library: its targets, and the telemetry that its calls go to while it is active.

    distribution: its name on PyPI. versions: the supported range as PEP 440 has it, `>=oldest,<next`; both ends tested.
    """

    def __init__(self, distribution: str, versions: str, targets: Iterable[Target], support: Support = UNTOLD) -> None:
        self.support = support
        self.distribution = distribution
        self.versions = versions
        self.targets = tuple(targets)
        self.active = False
        self.telemetry: Telemetry | None = None
        self.patches: dict[Target, Patch] = {}
        self._supported: bool | None = None  # until a module of the library is imported

    def install(self, telemetry: Telemetry) -> None:
        """Patch now where the library is imported, else as soon as it is; nothing is imported for it."""
        self.telemetry = telemetry
        self.active = True
        self._supported = None
        for module in dict.fromkeys(target.module for target in self.targets):
            wrapt.register_post_import_hook(self._patch_module, module)

    def uninstall(self) -> None:
        """Put back every original that is still ours to put back; the rest passes calls through from now on."""
        self.active = False
        self.patches = {target: patch for target, patch in self.patches.items() if not patch.undo()}

    @guard
    def _patch_module(self, module: Any) -> None:
        wanted = [target for target in self.targets if target.module == module.__name__ and target not in self.patches]
        if self._supported is None:
            self._supported = self._is_supported()
        if not self.active or not wanted or not self._supported:
            return
        for target in wanted:
            if (patch := self._patch(target, module)) is not None:
                patch.apply()
                self.patches[target] = patch

    def _patch(self, target: Target, module: Any) -> Patch | None:
        owner = getattr(module, target.owner, None) if target.owner else module
        original = getattr(owner, target.name, None)
        if target.own_only and (owner is None or target.name not in vars(owner)):
            return None
        if target.unless and hasattr(owner, target.unless):
            return None
        if target.optional and original is None:
            return None
        if (
            owner is None
            or original is None
            or not set(target.parameters) <= set(inspect.signature(original).parameters)
        ):
            log.warning(
                "%s of %s %s; it is left alone, and the telemetry of calls that pass it lacks a part",
                ".".join(filter(None, target[:3])), self.distribution,
                "is missing" if original is None else "has another signature than expected",
            )  # fmt: skip
            return None
        return self._replacing(target, owner, original)

    def _replacing(self, target: Target, owner: Any, original: Any) -> Patch:
        return Patch(target, owner, original, functools.wraps(original)(target.wrap(original, self)))

    def meet(self, owner: type, name: str, wrap: Callable[[Callable[..., Any], Client], Callable[..., Any]]) -> None:
        """Patch a method of a class that is only known by an object of it; it is put back with the others."""
        target = Target(owner.__module__, owner.__qualname__, name, wrap)
        if not self.active or target in self.patches:
            return
        patch = self._replacing(target, owner, vars(owner)[name])
        patch.apply()
        if "<locals>" not in target.owner:  # a class of one call goes with it
            self.patches[target] = patch

    def _is_supported(self) -> bool:
        try:
            version = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            log.warning("%s is imported but not installed; its calls are not instrumented", self.distribution)
            return False
        with suppress(InvalidVersion):  # of a build that names its own; packaging before 26 raises
            if SpecifierSet(self.versions, prereleases=True).contains(version):
                return True
        log.warning(
            "%s %s is outside the supported range %s; its calls are not instrumented",
            self.distribution, version, self.versions,
        )  # fmt: skip
        return False


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
            self._refused(error)
        self.end(error)

    @guard
    def _refused(self, error: BaseException) -> None:
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


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The entry point of an adapter: `clients`, the libraries that it patches, are all that a subclass sets."""

    clients: ClassVar[tuple[Client, ...]]

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the version is checked when the client is imported, because `opentelemetry-instrument` drops ours."""
        return ()

    @guard
    def _instrument(self, **kwargs: Any) -> None:
        telemetry = _telemetry.using(**{name: kwargs.get(name) for name in _PROVIDERS})
        for client in self.clients:
            client.install(telemetry)

    @guard
    def _uninstrument(self, **kwargs: Any) -> None:
        for client in self.clients:
            client.uninstall()


_PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")
