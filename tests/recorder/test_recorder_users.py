"""The person behind an entry: found in every way in which applications say it, and on no disk and no span by its id."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from openinference.instrumentation import using_user
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from recorder_entries import dump_disk

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops._sinks.recorder_users import Origin, find_users
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.recorder.entries import Entry
from otel_agentops.recorder.keys import KeyRing
from otel_agentops.recorder.reading import open_records, read_request
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.recorder.users import hash_user, list_user_keys, load_user_key
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

JANE = "jane.roe@example.org"


class Recorded:
    """Records what the two clients do; `end` returns the entries."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.root = root
        self.seen = Capture()
        names = {f"OTEL_AGENTOPS_{name}": value for name, value in settings.items()}
        environ = {"OTEL_AGENTOPS_RECORDER": str(root), "OTEL_AGENTOPS_RECORDER_MODE": "full", **names}
        self.telemetry = _telemetry.Telemetry(_config.read_config(environ), **self.seen.providers)
        self.tracer = trace.get_tracer("shop", tracer_provider=self.seen.providers["tracer_provider"])

    def end(self) -> list[Entry]:
        assert self.telemetry._recorder is not None and self.telemetry._recorder.writer.close(10)
        return list(open_records(self.root))


@contextmanager
def record(root: Path, **settings: str) -> Iterator[Recorded]:
    recorded = Recorded(root, **settings)
    before = _telemetry.replace_default(recorded.telemetry)
    instrumentors = (OpenAIInstrumentor(), AnthropicInstrumentor())
    for instrumentor in instrumentors:
        instrumentor.instrument(**recorded.seen.providers, skip_dep_check=True)
    try:
        yield recorded
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
        _telemetry.replace_default(before)


def ask(provider: FakeProvider, **options: Any) -> None:
    client: Any = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}], **options)


def ask_claude(provider: FakeProvider, **options: Any) -> None:
    client: Any = anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url)
    client.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}], **options)


@contextmanager
def carry(key: str) -> Iterator[None]:
    token = otel_context.attach(baggage.set_baggage(key, JANE))
    yield
    otel_context.detach(token)


@contextmanager
def open_spans(recorded: Recorded, *attributes: dict[str, str]) -> Iterator[None]:
    with ExitStack() as stack:
        for each in attributes:
            stack.enter_context(recorded.tracer.start_as_current_span("work")).set_attributes(each)
        yield


Say = Callable[[Recorded], "AbstractContextManager[object]"]
WAYS: dict[str, Say] = {
    "task": lambda _: otel_agentops.task("support", user=JANE),
    "baggage": lambda _: carry("user.id"),
    "baggage of an end user": lambda _: carry("enduser.id"),
    "openinference": lambda _: using_user(JANE),
    "current span": lambda recorded: open_spans(recorded, {}, {"user.id": JANE}),
    "root span": lambda recorded: open_spans(recorded, {"enduser.id": JANE}, {}, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_user_is_known_in_each_way_to_say_it(provider: FakeProvider, tmp_path: Path, way: str) -> None:
    with record(tmp_path) as recorded:
        with WAYS[way](recorded):
            ask(provider)
        (call,) = (entry for entry in recorded.end() if entry.kind == "call")
    (key,) = list_user_keys(tmp_path, None, None)
    assert call.users == (hash_user(key, JANE),)
    assert JANE not in dump_disk(tmp_path)
    own = [span for span in recorded.seen.spans if span["name"] != "work"]
    assert own and JANE not in json.dumps(own, default=str)


@pytest.mark.parametrize(
    ("send", "options"),
    [
        (ask, {"user": JANE}),
        (ask, {"safety_identifier": JANE}),
        (ask_claude, {"metadata": {"user_id": JANE}}),
    ],
)
def test_user_of_a_request_is_known(
    provider: FakeProvider, tmp_path: Path, send: Callable[..., None], options: dict[str, Any]
) -> None:
    with record(tmp_path, RECORDER_MODE="hashes") as recorded:
        send(provider, **options)
        (call,) = recorded.end()
    (key,) = list_user_keys(tmp_path, None, None)
    assert call.users == (hash_user(key, JANE),)
    assert JANE not in dump_disk(tmp_path)


@pytest.mark.parametrize("mode", ["full", "redacted", "hashes"])
def test_tool_and_its_intent_have_the_user_in_every_mode(tmp_path: Path, mode: str) -> None:
    @otel_agentops.tool("refund", effect="irreversible")
    def refund() -> None:
        pass

    with record(tmp_path, RECORDER_MODE=mode) as recorded:
        with otel_agentops.task("support", user=JANE), otel_agentops.task("agent", user="17"):
            refund()
        intent, tool = recorded.end()
    (key,) = list_user_keys(tmp_path, None, None)
    assert (intent.kind, intent.users, tool.users) == (
        "intent",
        tool.users,
        (hash_user(key, JANE), hash_user(key, "17")),
    )
    assert JANE not in dump_disk(tmp_path)


def test_nobody_is_known_if_nobody_is_named(provider: FakeProvider, tmp_path: Path) -> None:
    with record(tmp_path) as recorded:
        with otel_agentops.task("support"), open_spans(recorded, {"session.id": "s"}):
            ask(provider)
        (call,) = (entry for entry in recorded.end() if entry.kind == "call")
    assert (call.users, call.missing) == ((), ())
    assert not (tmp_path / "keys").exists()


def test_user_stays_in_its_task(provider: FakeProvider, tmp_path: Path) -> None:
    with record(tmp_path) as recorded:
        with otel_agentops.task("support", user=JANE):
            ask(provider)
        with otel_agentops.task("support", user="joe"):
            ask(provider)
        ask(provider)
        users = [entry.users for entry in recorded.end() if entry.kind == "call"]
    (key,) = list_user_keys(tmp_path, None, None)
    assert users == [(hash_user(key, JANE),), (hash_user(key, "joe"),), ()]


def test_words_that_look_like_a_user_are_none() -> None:
    bodies = (
        b'{"messages": [{"role": "user", "content": "{\\"user\\": \\"joe\\"}"}], "tools": [{"user": "joe"}]}',
        b'{"user": 1.5, "metadata": {"user_id": ["joe"]}, "safety_identifier": true}',
        b'{"user": "joe"',
        b'[{"user": "joe"}]',
    )
    assert [find_users(Origin((), otel_context.Context()), [body]) for body in bodies] == [[]] * 4


class WrappedSpan(trace.NonRecordingSpan):
    """A span as logfire makes it current: processors see the one inside."""

    def __init__(self, span: trace.Span) -> None:
        super().__init__(span.get_span_context())
        self.span = span


def test_user_is_found_above_a_wrapped_span(provider: FakeProvider, tmp_path: Path) -> None:
    with record(tmp_path) as recorded, recorded.tracer.start_as_current_span("work", attributes={"user.id": JANE}):
        with trace.use_span(WrappedSpan(recorded.tracer.start_span("inside"))):
            ask(provider)
        (call,) = recorded.end()
    (key,) = list_user_keys(tmp_path, None, None)
    assert call.users == (hash_user(key, JANE),)


def test_hash_is_the_same_for_months_and_in_no_other_directory(tmp_path: Path) -> None:
    hashes = []
    for folder in ("a", "a", "b"):
        key = load_user_key(tmp_path / folder, None, creates=True)
        assert key is not None
        hashes.append(hash_user(key, JANE))
    assert hashes[0] == hashes[1] != hashes[2]
    assert (tmp_path / "a/keys/users.secret").stat().st_mode & 0o777 == 0o600


def test_key_of_the_project_is_that_of_all_hosts(provider: FakeProvider, tmp_path: Path) -> None:
    users = set()
    for host in ("a", "b"):
        with record(tmp_path / host, HASH_KEY="k") as recorded:
            with otel_agentops.task("support", user=JANE):
                ask(provider)
            users |= {entry.users for entry in recorded.end()}
    assert users == {(hash_user(b"k", JANE),)}
    assert not list(tmp_path.rglob("keys"))


def test_master_key_wraps_the_key_of_users(tmp_path: Path) -> None:
    key = load_user_key(tmp_path, KeyRing(tmp_path, bytes(32)), creates=True)
    assert key is not None and key not in (tmp_path / "keys/users.secret").read_bytes()
    assert list_user_keys(tmp_path, KeyRing(tmp_path, bytes(32)), b"k") == [b"k", key]
    with pytest.raises(SegmentError, match=r"users\.secret: the key is wrapped by a master key"):
        list_user_keys(tmp_path, None, None)
    with pytest.raises(SegmentError, match="another master key has wrapped this key"):
        list_user_keys(tmp_path, KeyRing(tmp_path, bytes([1]) * 32), None)


def test_entry_says_that_its_user_could_not_be_hashed(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agentops._guard.is_strict", False)
    (tmp_path / "keys").touch()  # no folder can be made there
    with record(tmp_path) as recorded:
        with otel_agentops.task("support", user=JANE):
            ask(provider)
        (call,) = (entry for entry in recorded.end() if entry.kind == "call")
    assert (call.users, call.missing) == ((), ("users",))
    assert read_request(call)  # type: ignore[arg-type]


def test_spans_do_not_wait_for_a_writer_that_is_late(
    provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agentops._sinks.recorder.BACKLOG_BYTES", 0)
    with record(tmp_path) as recorded:
        assert recorded.telemetry._recorder is not None
        writer = recorded.telemetry._recorder.writer
        writer._start_token.clear()  # nobody takes it from the queue
        spans = []
        for _ in range(2):
            with recorded.tracer.start_as_current_span("work", attributes={"user.id": JANE}) as span:
                ask(provider)
            spans.append(weakref.ref(span))
        del span
        recorded.seen.clear()
        gc.collect()
        assert len(writer._queue) == 2 and spans[0]() is not None and spans[1]() is None
        writer._start_token.append(True)
        writer._start()
        users = [entry.users for entry in recorded.end()]
    (key,) = list_user_keys(tmp_path, None, None)
    assert users == [(hash_user(key, JANE),)] * 2
