"""The version behind the name of an index, asked for off the path of queries.

No store says in the answer to a query which build of an index it came from, save a few. So a query takes what is known
already and goes on at once; what is missing or old is asked for on one thread of our own, or as a task of the
application's event loop if the client is bound to it. A question makes no span, and is never asked twice at a time.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import inspect
import itertools
import os
import random
import re
import weakref
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timezone
from queue import SimpleQueue
from time import monotonic, time_ns
from typing import Any, NamedTuple, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, set_span_in_context

from otel_agentops import _coerce
from otel_agentops._guard import guard, say_once, try_call
from otel_agentops._telemetry import get_default
from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E

Key: TypeAlias = "tuple[str, str]"  # the place of a store (server, database, tenant), and the name asked for
_MAX_ENTRIES = 1000  # names that are remembered, before the memory starts over
_PATIENCE = 10  # times the usual time until a store that refused is asked again
_ASYNC_TIMEOUT_S = 10  # of a question on the application's event loop
_EXIT_WAIT_S = 0.5  # for a question that is under way, which must not outlive the interpreter
_DECLARED_MEMBER = re.compile(r"(\w+)\s*=\s*([^\s,;]+)")
_DECLARED_IN = "otel_agentops"  # member of an index's metadata under which its facts may stand


class IndexFacts(NamedTuple):
    """The facts of the build of an index that answers.

    Attributes:
        version: What the application declared on the index, else the concrete name behind an alias, else the store's
            own id of the build; None if unknown.
        source: How the version is known, as in `otel_agentops.index.source`.
        built_at: In ISO 8601; None if unknown.
        embedding_model: The model that embedded the documents; None if unknown.
        build_id: The store's own id of the build, which differs also if nobody declared another version.
        score_kind: distance or similarity; None if unknown.
    """

    version: str | None = None
    source: str = "unknown"
    built_at: str | None = None
    embedding_model: str | None = None
    build_id: str | None = None
    score_kind: str | None = None

    def as_attributes(self) -> dict[str, Value]:
        """Return the attributes of a retrieval span."""
        attributes: dict[str, Value] = {A.INDEX_SOURCE: self.source}
        if self.version is not None:
            attributes[A.INDEX_VERSION] = self.version
        if self.built_at is not None:
            attributes[A.INDEX_BUILT_AT] = self.built_at
        if self.embedding_model is not None:
            attributes[A.INDEX_EMBEDDING_MODEL] = self.embedding_model
        return attributes


UNKNOWN = IndexFacts()
Fetch: TypeAlias = "Callable[[Any, str], IndexFacts | Coroutine[Any, Any, IndexFacts]]"


def describe_index(
    metadata: object = None,
    *,
    concrete: str | None = None,
    build_id: object = None,
    built_at: object = None,
    embedding_model: object = None,
    score_kind: str | None = None,
) -> IndexFacts:
    """Return the facts of an index from what its store says.

    Args:
        metadata: Metadata that the application keeps with the index; its members `version`, `built_at` and
            `embedding_model`, or those below `otel_agentops`, go before what the store knows by itself.
        concrete: The name behind an alias; None if the index was asked for by its own name.
        build_id: The store's own id of the build.
        built_at: When the store made it: text, seconds since the epoch or a time.
        embedding_model: The model that the store embeds with.
        score_kind: distance or similarity.
    """
    members: Mapping[str, object] = metadata if isinstance(metadata, Mapping) else {}
    nested = _coerce.parse_json(members.get(_DECLARED_IN))
    declared = {**members, **nested} if isinstance(nested, Mapping) else members
    version = _coerce.as_text(declared.get("version") or declared.get("snapshot"))
    own_id = _coerce.as_text(build_id)
    observed = version or concrete or own_id
    return IndexFacts(
        observed,
        "declared" if version else "observed" if observed else "unknown",
        format_time(declared.get("built_at") or built_at),
        _coerce.as_text(declared.get("embedding_model") or embedding_model),
        own_id or concrete,
        score_kind,
    )


def parse_declaration(text: str | None) -> object:
    """Return the members of a comment on an index: JSON, or words such as `version=7`."""
    members = _coerce.parse_json(text)
    return dict(_DECLARED_MEMBER.findall(members)) if isinstance(members, str) else members


def format_time(value: object) -> str | None:
    """Return a time in ISO 8601; a text as it is.

    value: text, a time, or seconds or milliseconds since the epoch.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value <= 0:
            return None
        value = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, timezone.utc)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return _coerce.as_text(value)


class _Entry:
    """The answer of a store about one name, as far as there is one.

    Attributes:
        facts: The facts that hold, `UNKNOWN` until the store has said them.
        expires_at: Seconds of a clock that only grows; the next query from then on asks again.
        told: The last facts that the store said, with the time in ns; None before the first.
        has_failed: True if the last question was refused.
        generation: Counts the changes that were made in this process: an answer to a question from before is dropped.
        turn: Popped by whoever asks, which is atomic between threads.
    """

    __slots__ = ("expires_at", "facts", "generation", "has_failed", "told", "turn")

    def __init__(self) -> None:
        self.facts = UNKNOWN
        self.expires_at = 0.0
        self.told: tuple[IndexFacts, int] | None = None
        self.has_failed = False
        self.generation = 0
        self.turn = [True]


class IndexResolver:
    """The facts of every index that this process queries."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self.refusals: dict[Key, str] = {}  # kind of the error of each store that does not tell
        self._tasks: set[asyncio.Task[Any]] = set()
        self._start_over()

    def _start_over(self) -> None:
        """Forget the thread and the questions that wait: a child of a fork has neither."""
        self._steps: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread_token = [True]  # popped by whoever starts the thread
        self._idle = _thread.allocate_lock()  # held while a question is under way
        self._is_closing = False
        self._tasks.clear()
        for entry in self._entries.values():
            entry.turn[:] = [True]

    def find(self, key: Key, fetch: Fetch, client: Any) -> IndexFacts:
        """Return what is known now, and have it asked for if that is too long ago.

        Args:
            key: The index.
            fetch: Client and name to the facts; a coroutine function if the client is bound to an event loop.
            client: Kept only until the question is answered.
        """
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= _MAX_ENTRIES:
                self._entries.clear()
            entry = self._entries.setdefault(key, _Entry())
        if monotonic() >= entry.expires_at:
            self._ask(key, entry, fetch, client)
        return entry.facts

    def renew(self, place: str, fetch: Fetch, client: Any, name: str | None = None) -> None:
        """Ask anew, because this process has changed what names stand for; unknown until the store has answered.

        Args:
            place: That of the store.
            fetch: As in `find`.
            client: As in `find`.
            name: The one that changed; None for each that is known there.
        """
        for key, entry in list(self._entries.items()):
            if key[0] == place and name in (None, key[1]):
                entry.generation += 1
                entry.facts = UNKNOWN
                entry.expires_at = 0.0
                self._ask(key, entry, fetch, client)

    def forget(self) -> None:
        """Forget every index, and who refused; for tests."""
        self._entries.clear()
        self.refusals.clear()

    def wait(self, timeout_s: float = 10) -> None:
        """Wait until the thread has asked what waits; for tests and the end of a program."""
        done = _thread.allocate_lock()
        done.acquire()
        if not self._thread_token:
            self._steps.put(done.release)
            done.acquire(timeout=timeout_s)

    def _ask(self, key: Key, entry: _Entry, fetch: Fetch, client: Any) -> None:
        if self._is_closing or get_default().config.index_ttl == 0:
            return
        try:
            entry.turn.pop()
        except IndexError:
            return  # somebody asks already
        if inspect.iscoroutinefunction(fetch):
            self._ask_in_loop(key, entry, fetch, client)
            return
        self._steps.put(lambda: self._ask_here(key, entry, fetch, client))
        try:
            self._thread_token.pop()
        except IndexError:
            return  # it runs
        try:
            _thread.start_new_thread(self._run, (self._steps,))
        except RuntimeError:  # the system allows no more threads
            self._thread_token.append(True)

    def _run(self, steps: SimpleQueue[Callable[[], object]]) -> None:
        otel_context.attach(_make_silent_context())
        while not self._is_closing:
            guarded_step = guard(steps.get())
            with self._idle:
                guarded_step()
            del guarded_step  # holds a client of the application

    def _ask_here(self, key: Key, entry: _Entry, fetch: Fetch, client: Any) -> None:
        generation = entry.generation
        self._settle(key, entry, generation, try_call(fetch, client, key[1]), fetch, client)

    def _ask_in_loop(self, key: Key, entry: _Entry, fetch: Any, client: Any) -> None:
        generation = entry.generation
        token = otel_context.attach(_make_silent_context())
        try:
            loop = asyncio.get_running_loop()
            task = loop.create_task(asyncio.wait_for(fetch(client, key[1]), _ASYNC_TIMEOUT_S))  # copies the context
        except RuntimeError:  # the loop is another library's
            entry.turn.append(True)
            return
        finally:
            otel_context.detach(token)
        self._tasks.add(task)

        @guard
        def settle(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                entry.turn.append(True)
            else:
                self._settle(key, entry, generation, task.exception() or task.result(), fetch, client)

        task.add_done_callback(settle)

    def _settle(self, key: Key, entry: _Entry, generation: int, answer: object, fetch: Fetch, client: Any) -> None:
        entry.turn.append(True)
        if entry.generation != generation:  # the answer may be from before the change
            self._ask(key, entry, fetch, client)
            return
        ttl = get_default().config.index_ttl * random.uniform(0.9, 1.1)  # no two processes at one time
        if isinstance(answer, IndexFacts):
            self.refusals.pop(key, None)
            entry.has_failed = False
            entry.expires_at = monotonic() + ttl
            self._tell(key[1], entry, answer)
            return
        # One failure may be the network's. What is known holds until the next, and is then unknown again.
        is_lasting = entry.has_failed or entry.facts is UNKNOWN
        entry.has_failed = True
        entry.expires_at = monotonic() + (ttl * _PATIENCE if is_lasting else ttl)
        if is_lasting:
            entry.facts = UNKNOWN
            self.refusals[key] = kind = type(answer).__name__
            say_once(
                f"index:{key[0]}:{kind}",
                "the version of index %s is unknown, as its store does not tell it (%s); allow this program to read"
                " the metadata of the index, or declare the version",
                key[1],
                kind,
            )

    def _tell(self, name: str, entry: _Entry, facts: IndexFacts) -> None:
        """Let the facts hold, and emit an event if they are of another build than those before."""
        now = time_ns()
        before, entry.told = entry.told, (facts, now)
        entry.facts = facts
        if before is None:
            return
        old, seen_ns = before
        if facts.version != old.version:
            values = (facts.version, old.version)
        elif facts.build_id != old.build_id:  # built anew, and nobody declared another version
            values = (facts.build_id, old.build_id)
        else:
            return
        change = {
            A.CHANGE_VARIABLE: "index",
            A.CHANGE_SCOPE: name,
            A.CHANGE_VALUE: values[0] or "unknown",
            A.CHANGE_PREVIOUS: values[1],
            A.CHANGE_SOURCE: "first_seen",
            A.CHANGE_EARLIEST: format_time(datetime.fromtimestamp(seen_ns / 1e9, timezone.utc)),
        }
        get_default().emit_event(E.CHANGE, _coerce.drop_none(change), now, set_span_in_context(INVALID_SPAN, Context()))

    def close(self) -> None:
        """Ask nothing more; a question that is under way has a moment to end."""
        self._is_closing = True
        if not self._thread_token and self._idle.acquire(timeout=_EXIT_WAIT_S):
            self._idle.release()


def _make_silent_context() -> Context:
    """Return a context in which nobody makes a span.

    Clients that trace themselves do not know the key of suppression; under a parent that is not sampled a sampler drops
    their spans.
    """
    ids = RandomIdGenerator()
    parent = NonRecordingSpan(SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False))
    return set_span_in_context(parent, Context({_SUPPRESS_INSTRUMENTATION_KEY: True}))


_numbers = itertools.count(1)
_places: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def name_place(client: Any) -> str:
    """Return a name for the store that a client talks to, if nothing else tells two stores apart."""
    place = _places.get(client)
    if place is None:
        place = _places.setdefault(client, f"{type(client).__name__}-{next(_numbers)}")
    return place


RESOLVER = IndexResolver()
atexit.register(RESOLVER.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RESOLVER._start_over)
