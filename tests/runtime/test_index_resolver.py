"""The version behind the name of an index: asked for beside the queries, kept for a while, and told when it moves."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from otel_agentops import _guard, doctor
from otel_agentops.stores import _index_resolver
from otel_agentops.stores._index_resolver import UNKNOWN, IndexFacts, IndexResolver, describe_index
from otel_agentops.testing import Capture, capture

KEY = ("server", "docs")


class Store:
    """A store that tells what it is set to, or raises it; `is_open` is cleared to let it hang."""

    def __init__(self, answer: IndexFacts | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.began = threading.Event()

    def fetch(self, client: object, name: str) -> IndexFacts:
        self.asked.append(name)
        answer = self.answer
        self.began.set()
        assert self.is_open.wait(10)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Seconds since nothing in particular."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture() as everything:
        yield everything


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_index_resolver, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def resolver() -> Iterator[IndexResolver]:
    resolver = IndexResolver()
    yield resolver
    resolver.close()


def version(value: str) -> IndexFacts:
    return IndexFacts(value, "observed", build_id=value)


def test_first_query_is_unknown_and_the_next_is_known(seen: Capture, resolver: IndexResolver) -> None:
    store = Store(version("v1"))
    assert resolver.find(KEY, store.fetch, None) is UNKNOWN
    resolver.wait()
    assert [resolver.find(KEY, store.fetch, None) for _ in range(3)] == [version("v1")] * 3
    assert store.asked == ["docs"]


def test_query_does_not_wait_for_a_store_that_hangs(seen: Capture, resolver: IndexResolver) -> None:
    store = Store(version("v1"))
    store.is_open.clear()
    assert [resolver.find(KEY, store.fetch, None) for _ in range(100)] == [UNKNOWN] * 100
    assert store.began.wait(10)
    assert resolver.find(KEY, store.fetch, None) is UNKNOWN, "the query is over and the question is not"
    store.is_open.set()
    resolver.wait()
    assert resolver.find(KEY, store.fetch, None) == version("v1")
    assert store.asked == ["docs"], "one question is under way at a time"


def test_move_is_seen_after_the_time_and_told_with_its_interval(
    seen: Capture, resolver: IndexResolver, clock: Clock
) -> None:
    store = Store(version("v1"))
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    store.answer = version("v2")
    clock.now += 50  # less than a tenth below the minute
    assert resolver.find(KEY, store.fetch, None) == version("v1")
    assert store.asked == ["docs"]
    clock.now += 20
    assert resolver.find(KEY, store.fetch, None) == version("v1"), "the old one is served while the new one is asked"
    resolver.wait()
    assert resolver.find(KEY, store.fetch, None) == version("v2")
    (event,) = seen.events
    assert event["attributes"].pop("otel_agentops.change.earliest").endswith("Z")
    assert event == {
        "event_name": "otel_agentops.change",
        "in_span": False,
        "attributes": {
            "otel_agentops.change.previous": "v1",
            "otel_agentops.change.scope": "docs",
            "otel_agentops.change.source": "first_seen",
            "otel_agentops.change.value": "v2",
            "otel_agentops.change.variable": "index",
        },
    }


def test_rebuild_under_one_declared_version_is_told(seen: Capture, resolver: IndexResolver, clock: Clock) -> None:
    store = Store(describe_index({"version": "7"}, build_id="a"))
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    store.answer = describe_index({"version": "7"}, build_id="b")
    clock.now += 100
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    (event,) = seen.events
    values = [event["attributes"][f"otel_agentops.change.{name}"] for name in ("previous", "value")]
    assert values == ["a", "b"]


def test_change_in_this_process_is_never_answered_from_before(seen: Capture, resolver: IndexResolver) -> None:
    store = Store(version("v1"))
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    store.is_open.clear()
    store.began.clear()
    resolver.renew("server", store.fetch, None)
    assert resolver.find(KEY, store.fetch, None) is UNKNOWN
    assert store.began.wait(10)
    store.answer = version("v2")  # the store has told the old version, and the answer is on its way
    resolver.renew("server", store.fetch, None)
    store.is_open.set()
    resolver.wait()
    resolver.wait()  # the second question follows the first
    assert resolver.find(KEY, store.fetch, None) == version("v2")
    assert [event["attributes"]["otel_agentops.change.value"] for event in seen.events] == ["v2"]


def test_refusal_is_unknown_and_said_once(
    seen: Capture, resolver: IndexResolver, clock: Clock, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(_guard, "_warned_keys", set())
    monkeypatch.setattr(_index_resolver, "RESOLVER", resolver)
    store = Store(PermissionError("403 for alice"))
    for _ in range(3):
        assert resolver.find(KEY, store.fetch, None) is UNKNOWN
        resolver.wait()
    assert store.asked == ["docs"]
    clock.now += 500
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    assert store.asked == ["docs"], "who refused is asked ten times as seldom"
    clock.now += 200
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    assert store.asked == ["docs"] * 2
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("the version of index docs is unknown, as its store does not tell it (PermissionError)")
    assert "alice" not in message
    (finding,) = doctor.check_indexes({})
    assert finding == doctor.Finding(
        "warning",
        "index docs",
        "its store does not tell which build answers (PermissionError)",
        "allow the program to read the metadata of the index, or declare its version",
    )


def test_one_failure_keeps_what_is_known(seen: Capture, resolver: IndexResolver, clock: Clock) -> None:
    store = Store(version("v1"))
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    store.answer = ConnectionError()
    clock.now += 100
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    assert resolver.find(KEY, store.fetch, None) == version("v1")
    clock.now += 100
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    assert resolver.find(KEY, store.fetch, None) is UNKNOWN


def test_time_of_zero_asks_nothing(resolver: IndexResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_INDEX_TTL", "0")
    store = Store(version("v1"))
    with capture():
        assert resolver.find(KEY, store.fetch, None) is UNKNOWN
        resolver.wait()
    assert store.asked == []


def test_question_makes_no_span(seen: Capture, resolver: IndexResolver) -> None:
    tracer = seen.tracer_provider.get_tracer("a client that traces itself")

    def fetch(client: object, name: str) -> IndexFacts:
        with tracer.start_as_current_span("GET /docs"):
            assert not trace.get_current_span().is_recording()
        return version("v1")

    resolver.find(KEY, fetch, None)
    resolver.wait()
    assert resolver.find(KEY, fetch, None) == version("v1")
    assert seen.spans == []


async def test_async_client_is_asked_on_its_own_loop(seen: Capture, resolver: IndexResolver) -> None:
    loops = []

    async def fetch(client: object, name: str) -> IndexFacts:
        loops.append(asyncio.get_running_loop())
        return version("v1")

    assert resolver.find(KEY, fetch, None) is UNKNOWN
    assert resolver.find(KEY, fetch, None) is UNKNOWN
    while resolver.find(KEY, fetch, None) is UNKNOWN:
        await asyncio.sleep(0)
    assert loops == [asyncio.get_running_loop()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_child_of_a_fork_asks_by_itself(seen: Capture) -> None:
    resolver = IndexResolver()
    os.register_at_fork(after_in_child=resolver._start_over)
    store = Store(version("v1"))
    resolver.find(KEY, store.fetch, None)
    resolver.wait()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resolver.find(("server", "other"), store.fetch, None)
            resolver.wait()
            status = 0 if resolver.find(("server", "other"), store.fetch, None) == version("v1") else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("metadata", "more", "expected"),
    [
        ({"version": 7}, {"concrete": "docs-7", "build_id": "u1"}, ("7", "declared", "u1")),
        ({"otel_agentops": {"version": "8"}}, {}, ("8", "declared", None)),
        ({"otel_agentops": '{"snapshot": "s3"}'}, {}, ("s3", "declared", None)),
        ({}, {"concrete": "docs-7", "build_id": "u1"}, ("docs-7", "observed", "u1")),
        (None, {"build_id": 42}, ("42", "observed", "42")),
        ("no mapping", {}, (None, "unknown", None)),
    ],
)
def test_version_is_declared_else_concrete_else_the_id(
    metadata: object, more: dict[str, object], expected: tuple[object, ...]
) -> None:
    facts = describe_index(metadata, **more)  # type: ignore[arg-type]
    assert (facts.version, facts.source, facts.build_id) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-05-01", "2026-05-01"),
        (1777608000, "2026-05-01T04:00:00Z"),
        (1777608000000, "2026-05-01T04:00:00Z"),
        (0, None),
        (None, None),
    ],
)
def test_time_is_iso_8601(value: object, text: str | None) -> None:
    assert _index_resolver.format_time(value) == text
