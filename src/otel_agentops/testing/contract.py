"""The contract that every adapter keeps: the same calls through any client make the same spans, whatever ends them.

    class TestGroq(Contract):
        subject = GroqSubject()

in a test file is all. It needs pytest and nothing else, because asynchronous calls run in a loop of their own. A case
that a client does not have is skipped with the reason in `Subject.missing`; one without a reason fails.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_agentops._derive import name_error
from otel_agentops.clients._protocols.parts import name_finish_reason
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.testing import Capture, Record, capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, Hang, Status, ToolCall
from otel_agentops.testing.subject import (
    KINDS,
    MODEL,
    RESOLVED,
    SCHEMA,
    SYSTEM,
    TOOL,
    USER,
    ChatRequest,
    Subject,
    expect_attributes,
)

T = TypeVar("T")
_END = object()
_REQUEST = ChatRequest()
_WORDS = "Hello there."  # the text of the provider's answer
_TOOL_ANSWER = Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Paris"}'),))


_CONTENT = (
    A.GEN_AI_SYSTEM_INSTRUCTIONS,
    A.GEN_AI_INPUT_MESSAGES,
    A.GEN_AI_OUTPUT_MESSAGES,
    A.GEN_AI_TOOL_DEFINITIONS,
)


def _as_lists(value: Any) -> Any:
    """Return a value with lists for the tuples that the SDK makes of them."""
    if isinstance(value, Mapping):
        return {name: _as_lists(member) for name, member in value.items()}
    return list(map(_as_lists, value)) if isinstance(value, (list, tuple)) else value


async def await_result(result: object) -> Any:
    """Return the result of a call of either kind of client: the value itself, or that of the awaitable."""
    return await result if inspect.isawaitable(result) else result


async def iterate_items(items: Any) -> AsyncIterator[Any]:
    """Yield the items of an iterator of either kind, one at a time."""
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Bench:
    """One kind of client of a subject, with the provider that it talks to.

    Args:
        subject: The client under test.
        kind: "sync" or "async".
        provider: The running provider.
    """

    def __init__(self, subject: Subject, kind: str, provider: FakeProvider) -> None:
        self.subject = subject
        self.kind = kind
        self.provider = provider

    def run(self, use: Callable[[Any], Awaitable[T]], *, retries: int = 0, timeout: float = 5.0) -> T:
        """Run a coroutine function with a client object, in a loop of its own.

        Args:
            use: Gets the client object.
            retries: Attempts of the client after the first.
            timeout: Seconds until the client gives an attempt up.

        Returns:
            The result of the function.
        """

        async def use_client() -> T:
            client = self.subject.client(self.kind, self.provider, retries=retries, timeout=timeout)
            try:
                return await use(client)
            finally:
                await await_result(self.subject.close(client))

        return asyncio.run(use_client())

    def call(self, make: Callable[[Any], object], *, retries: int = 0, timeout: float = 5.0) -> Any:
        """Make any call and return its result; `make` gets the client object and returns a result or an awaitable."""
        return self.run(lambda client: await_result(make(client)), retries=retries, timeout=timeout)

    def chat(self, request: ChatRequest = _REQUEST, *, retries: int = 0, timeout: float = 5.0) -> Any:
        """Make a plain call and return its result."""
        return self.call(lambda client: self.subject.chat(client, request), retries=retries, timeout=timeout)

    def stream(self, request: ChatRequest = _REQUEST) -> list[Any]:
        """Make a streamed call and return all of its items."""
        items: list[Any] = []
        self.run(lambda client: self.read_stream(client, items, request))
        return items

    async def read_stream(self, client: object, items: list[Any], request: ChatRequest = _REQUEST) -> None:
        """Append the items of a streamed call to a list, as they arrive."""
        async for item in iterate_items(await await_result(self.subject.stream(client, request))):
            items.append(item)

    def expect_span(self, way: str, *, parent: str | None = None, **changes: object) -> Record:
        """Return the span that a call must make.

        Args:
            way: The way of the call, as in `Subject.differs`.
            parent: Name of the parent span; None for a root.
            **changes: Other attributes, with `__` for a dot; None for one that is absent.
        """
        changed = {name.replace("__", "."): value for name, value in changes.items()}
        values = {**expect_attributes(self.subject, way, self.provider), **changed}
        attributes = {name: values[name] for name in sorted(values) if values[name] is not None}
        return {
            "name": f"{attributes[A.GEN_AI_OPERATION_NAME]} {attributes.get(A.GEN_AI_REQUEST_MODEL, '')}".strip(),
            "kind": "CLIENT",
            "status": "ERROR" if A.ERROR_TYPE in attributes else "UNSET",
            "parent": parent,
            "attributes": attributes,
        }

    def expect_failure(self, case: str, error: BaseException, *statuses: int, way: str = "failed") -> Record:
        """Return the span that a failed call must make.

        Args:
            case: The case of the contract, as in `Subject.errors`.
            error: The exception that the application sees.
            *statuses: The status of each attempt; none to leave attempts as they are.
            way: The way of the call, as in `Subject.differs`.
        """
        kind = self.subject.errors.get(case, name_error(error))
        return self.expect_span(way, error__type=kind, **self.expect_attempts(*statuses))

    def expect_attempts(self, *statuses: int, waits: list[float] | None = None) -> dict[str, Any]:
        """Return the attributes of attempts, as `expect_span` takes them.

        Args:
            *statuses: The status of each attempt.
            waits: Seconds that the provider asked the client to wait; None if it did not.
        """
        if not self.subject.attempts_known or not statuses:
            return {}
        return {
            "otel_agentops__attempt__count": len(statuses),
            "otel_agentops__attempt__statuses": list(statuses),
            "otel_agentops__attempt__retry_after": waits,
        }


class Contract:
    """The cases. A subclass whose name begins with `Test` has a `subject`; pytest collects the rest.

    Attributes:
        subject: The client under test.
    """

    subject: ClassVar[Subject]

    @pytest.fixture(params=KINDS)
    def kind(self, request: pytest.FixtureRequest) -> str:
        """Return each kind of client in turn."""
        if request.param not in self.subject.kinds:
            pytest.skip(f"{self.subject.name} has no {request.param} client")
        return str(request.param)

    @pytest.fixture
    def bench(self, kind: str) -> Iterator[Bench]:
        """Yield the client with a provider that resolves the alias."""
        with self.subject.serve() as provider:
            provider.alias(MODEL, RESOLVED)
            yield Bench(self.subject, kind, provider)

    @pytest.fixture(name="seen")
    def capture_telemetry(self) -> Iterator[Capture]:
        """Yield the telemetry of the instrumentation."""
        with capture(self.subject.instrumentor()) as telemetry:
            yield telemetry

    @pytest.fixture(name="content")
    def capture_content(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
        """Yield the telemetry of the instrumentation with content on spans and in events."""
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT")
        with capture(self.subject.instrumentor()) as telemetry:
            yield telemetry

    def require(self, case: str, method: str | None = None) -> None:
        """Skip the test with the subject's reason if it does not have this case.

        Args:
            case: The case, as in `Subject.missing`.
            method: The method of the subject that makes the call; a subject with neither method nor reason fails.
        """
        if case in self.subject.missing:
            pytest.skip(f"{self.subject.name}: {self.subject.missing[case]}")
        if method is not None and getattr(type(self.subject), method) is getattr(Subject, method):
            pytest.fail(f"{type(self.subject).__name__} has neither {method}() nor a reason in `missing[{case!r}]`")

    # -- calls that succeed

    def test_chat(self, bench: Bench, seen: Capture) -> None:
        """Make one whole span for a plain call, below the current span."""
        with seen.tracer_provider.get_tracer("app").start_as_current_span("app"):
            bench.chat()
        call, _ = seen.spans
        assert call == bench.expect_span("chat", parent="app")

    def test_stream(self, bench: Bench, seen: Capture) -> None:
        """Make one whole span for a stream that is read to its end."""
        self.require("stream", "stream")
        assert bench.stream()
        assert seen.spans == [bench.expect_span("stream")]

    def test_raw(self, bench: Bench, seen: Capture) -> None:
        """Make the same span for a response that the client does not parse."""
        self.require("raw", "chat_raw")
        bench.call(lambda client: self.subject.chat_raw(client, ChatRequest()))
        assert seen.spans == [bench.expect_span("raw")]

    def test_tools(self, bench: Bench, seen: Capture) -> None:
        """Identify offered tools as through any other client."""
        self.require("tools")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.chat(ChatRequest(tools=[TOOL]))
        assert seen.spans == [bench.expect_span("tools")]

    def test_tools_in_a_stream(self, bench: Bench, seen: Capture) -> None:
        """Identify tools in a stream as in a plain call, with the same finish reason."""
        self.require("tools")
        self.require("stream")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.stream(ChatRequest(tools=[TOOL]))
        (span,) = seen.spans
        plain = bench.expect_span("tools")["attributes"]
        for name in (A.TOOLS_HASH, A.TOOLS_VERSIONS, A.GEN_AI_RESPONSE_FINISH_REASONS):
            assert span["attributes"].get(name) == plain.get(name), name

    def test_structured(self, bench: Bench, seen: Capture) -> None:
        """Record the schema of an answer as a parameter, and the output as JSON."""
        self.require("structured", "chat_structured")
        bench.call(lambda client: self.subject.chat_structured(client, ChatRequest(schema=SCHEMA)))
        assert seen.spans == [bench.expect_span("structured")]

    def test_embeddings(self, bench: Bench, seen: Capture) -> None:
        """Make one whole span for embeddings."""
        self.require("embed", "embed")
        bench.call(lambda client: self.subject.embed(client, ["hi"]))
        assert seen.spans == [bench.expect_span("embed")]

    def test_measurements(self, bench: Bench, seen: Capture) -> None:
        """Measure the duration once, and the tokens as on the span."""
        bench.chat()
        attributes = bench.expect_span("chat")["attributes"]
        names = (A.GEN_AI_USAGE_INPUT_TOKENS, A.GEN_AI_USAGE_OUTPUT_TOKENS)
        counted = [point["sum"] for point in seen.metrics.get(M.GEN_AI_CLIENT_TOKEN_USAGE, ())]
        assert counted == [attributes[name] for name in names if name in attributes]
        assert [point["count"] for point in seen.metrics[M.GEN_AI_CLIENT_OPERATION_DURATION]] == [1]

    # -- requests

    def test_one_shot_iterators(self, bench: Bench, seen: Capture) -> None:
        """Leave an iterator that can be read once to the client, and take its items from what it sends."""
        self.require("one_shot", "chat_one_shot")
        bench.call(lambda client: self.subject.chat_one_shot(client, ChatRequest()))
        assert USER in str(bench.provider.requests[-1].body)
        assert seen.spans == [bench.expect_span("chat")]

    def test_unset_sentinels(self, bench: Bench, seen: Capture) -> None:
        """Record no parameter for an option that is a sentinel."""
        self.require("unset", "chat_unset")
        bench.call(lambda client: self.subject.chat_unset(client, ChatRequest()))
        assert seen.spans == [bench.expect_span("chat")]

    def test_a_changed_tool_is_seen(self, bench: Bench, seen: Capture) -> None:
        """Identify a tool that is changed in place anew, and as before when it is changed back."""
        self.require("tools")
        tool = {**TOOL, "description": "Once"}
        for description in ("Once", "Twice", "Once"):
            tool["description"] = description
            bench.chat(ChatRequest(tools=[tool]))
        first, second, third = (span["attributes"][A.TOOLS_HASH] for span in seen.spans)
        assert first == third != second

    # -- calls that fail

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
    def test_an_error_of_the_provider(self, bench: Bench, seen: Capture, status: int) -> None:
        """Record the status of the only attempt, and the exception that the application sees."""
        bench.provider.script(Status(status))
        with pytest.raises(Exception) as caught:
            bench.chat()
        assert seen.spans == [bench.expect_failure(str(status), caught.value, status)]

    def test_an_error_of_a_stream(self, bench: Bench, seen: Capture) -> None:
        """Record the same for a stream."""
        self.require("stream")
        bench.provider.script(Status(429))
        with pytest.raises(Exception) as caught:
            bench.stream()
        failure = bench.expect_failure("429", caught.value, 429)
        assert seen.spans == [{**failure, "attributes": {**failure["attributes"], A.GEN_AI_REQUEST_STREAM: True}}]

    def test_retries(self, bench: Bench, seen: Capture) -> None:
        """Record every attempt of one operation on one span, with the wait that the provider asked for."""
        self.require("retries")
        bench.provider.script(Status(429, retry_after=0.01))
        bench.chat(retries=1)
        assert seen.spans == [bench.expect_span("chat", **bench.expect_attempts(429, 200, waits=[0.01]))]
        assert len(bench.provider.requests) == 2

    def test_a_timeout(self, bench: Bench, seen: Capture) -> None:
        """Record status 0 if no response came."""
        self.require("timeout")
        bench.provider.script(Hang(5))
        with pytest.raises(Exception) as caught:
            bench.chat(timeout=0.2)
        assert seen.spans == [bench.expect_failure("timeout", caught.value, 0)]

    def test_a_cut_connection(self, bench: Bench, seen: Capture) -> None:
        """Record status 0 if the connection is cut."""
        self.require("cut")
        bench.provider.script(Break())
        with pytest.raises(Exception) as caught:
            bench.chat()
        assert seen.spans == [bench.expect_failure("cut", caught.value, 0)]

    def test_a_cancelled_call(self, bench: Bench, seen: Capture) -> None:
        """End the span of a task that is cancelled while it waits for the answer."""
        if bench.kind == "sync":
            pytest.skip("a sync call cannot be cancelled")
        bench.provider.script(Hang(5))

        async def cancel_call(client: object) -> None:
            call = asyncio.ensure_future(await_result(self.subject.chat(client, _REQUEST)))
            await _wait_until(lambda: bool(bench.provider.requests))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        self.require("cancelled")
        bench.run(cancel_call)
        assert seen.spans == [bench.expect_failure("cancelled", asyncio.CancelledError(), 0)]

    # -- streams that do not end

    def test_a_broken_stream(self, bench: Bench, seen: Capture) -> None:
        """Record what came before the cut, and the error of the stream."""
        self.require("broken", "stream")
        bench.provider.script(Break(after=2))
        with pytest.raises(Exception) as caught:
            bench.stream()
        assert seen.spans == [bench.expect_failure("broken", caught.value, way="broken")]

    def test_a_dropped_stream(self, bench: Bench, seen: Capture) -> None:
        """End an abandoned stream without an error when it is collected."""

        async def abandon_stream(client: object) -> None:
            stream = await await_result(self.subject.stream(client, _REQUEST))
            if hasattr(stream, "__aiter__"):
                items = stream.__aiter__()  # held: without it some streams are dropped before the span between
                assert await anext(items, _END) is not _END
            else:
                items = iter(stream)
                assert next(items, _END) is not _END
            seen.tracer_provider.get_tracer("app").start_span("between").end()
            del stream, items
            await _collect_garbage()

        self.require("dropped", "stream")
        bench.run(abandon_stream)
        between, dropped = seen.spans
        assert between["parent"] is None, "the span is current while the application reads"
        assert dropped == bench.expect_span("begun")

    def test_an_exception_of_the_caller(self, bench: Bench, seen: Capture) -> None:
        """Record no error if the application raises while it reads; the stream was only left early."""

        async def raise_in_loop(client: object) -> None:
            async for _ in iterate_items(await await_result(self.subject.stream(client, _REQUEST))):
                raise KeyError("mine")

        async def catch_error(client: object) -> None:
            with pytest.raises(KeyError, match="mine"):
                await raise_in_loop(client)
            await _collect_garbage()

        self.require("dropped", "stream")
        bench.run(catch_error)
        gc.collect()
        assert seen.spans == [bench.expect_span("begun")]

    def test_a_cancelled_reader(self, bench: Bench, seen: Capture) -> None:
        """End the span of a task that is cancelled while it waits for the next item."""
        if bench.kind == "sync":
            pytest.skip("a sync reader cannot be cancelled")
        items: list[Any] = []
        items_before_cut: list[Any] = []

        async def cancel_reader(client: object) -> None:
            reading = asyncio.create_task(bench.read_stream(client, items))
            await _wait_until(lambda: len(items) == len(items_before_cut))
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            del reading
            await _collect_garbage()

        self.require("cancelled")
        self.require("broken", "stream")
        bench.provider.script(Break(after=2))
        with pytest.raises(Exception):  # noqa: B017  each client has an exception of its own
            bench.run(lambda client: bench.read_stream(client, items_before_cut))
        seen.clear()
        bench.provider.script(Hang(5, after=2))
        bench.run(cancel_reader)
        assert seen.spans == [bench.expect_failure("cancelled", asyncio.CancelledError(), way="broken")]

    # -- never in the way

    def test_results_are_those_without_us(self, bench: Bench) -> None:
        """Return the same types and values as without instrumentation, plain and streamed."""
        calls = [bench.chat, *([] if "stream" in self.subject.missing else [bench.stream])]
        expected = [_make_comparable(call(), self.subject.volatile) for call in calls]
        with capture(self.subject.instrumentor()):
            assert [_make_comparable(call(), self.subject.volatile) for call in calls] == expected

    def test_no_content_leaves(self, bench: Bench, seen: Capture) -> None:
        """Emit neither prompt, question nor answer in any signal."""
        bench.chat(ChatRequest(tools=[] if "tools" in self.subject.missing else [TOOL]))
        emitted = f"{seen.spans} {seen.events} {seen.metrics}"
        assert not [words for words in (SYSTEM, USER, _WORDS, str(TOOL["description"])) if words in emitted]

    # -- content, if it is asked for

    def test_content(self, bench: Bench, content: Capture) -> None:
        """Write what was said and offered, on the span and in an event of it."""
        self.require("tools")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.chat(ChatRequest(tools=[TOOL]))
        self._check_content(content, {"type": "tool_call", "name": "weather", "arguments": {"city": "Paris"}})

    def test_content_of_a_stream(self, bench: Bench, content: Capture) -> None:
        """Write the whole text of a stream."""
        self.require("stream", "stream")
        bench.stream()
        self._check_content(content, {"type": "text", "content": _WORDS})

    def test_content_of_a_tool_call_in_a_stream(self, bench: Bench, content: Capture) -> None:
        """Write a tool call whose arguments came in pieces."""
        self.require("tools")
        self.require("stream")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.stream(ChatRequest(tools=[TOOL]))
        self._check_content(content, {"type": "tool_call", "name": "weather", "arguments": {"city": "Paris"}})

    def test_content_of_a_raw_response(self, bench: Bench, content: Capture) -> None:
        """Write the answer that the client does not parse."""
        self.require("raw", "chat_raw")
        bench.call(lambda client: self.subject.chat_raw(client, ChatRequest()))
        self._check_content(content, {"type": "text", "content": _WORDS})

    def test_content_of_a_failed_call(self, bench: Bench, content: Capture) -> None:
        """Write what was said to a provider that refuses the call."""
        bench.provider.script(Status(500))
        with pytest.raises(Exception):  # noqa: B017  each client has an exception of its own
            bench.chat()
        (span,) = content.spans
        assert USER in span["attributes"][A.GEN_AI_INPUT_MESSAGES]
        assert A.GEN_AI_OUTPUT_MESSAGES not in span["attributes"]
        assert [event["attributes"][A.ERROR_TYPE] for event in content.events] == [span["attributes"][A.ERROR_TYPE]]

    def _check_content(self, seen: Capture, part: Record) -> None:
        """Compare the content of the only span, and of its event, with the request and an answer of this part."""
        (span,), (event,) = seen.spans, seen.events
        attributes = span["attributes"]
        words = {name: json.loads(attributes[name]) for name in _CONTENT if name in attributes}
        assert {name: value for name, value in _as_lists(event["attributes"]).items() if name in _CONTENT} == words
        assert {name: event["attributes"][name] for name in attributes if name not in _CONTENT} == {
            name: value for name, value in attributes.items() if name not in _CONTENT
        }
        for message in words[A.GEN_AI_OUTPUT_MESSAGES]:
            for each in message["parts"]:
                each.pop("id", None)  # some providers have none, others make one up
        system, user = [{"type": "text", "content": SYSTEM}], [{"type": "text", "content": USER}]
        turns = [{"role": "system", "parts": system}, {"role": "user", "parts": user}]
        is_apart = A.GEN_AI_SYSTEM_INSTRUCTIONS in words
        reason = name_finish_reason((attributes.get(A.GEN_AI_RESPONSE_FINISH_REASONS) or [None])[0])
        expected: Record = {
            A.GEN_AI_INPUT_MESSAGES: turns[1:] if is_apart else turns,
            A.GEN_AI_OUTPUT_MESSAGES: [{"role": "assistant", "parts": [part], "finish_reason": reason}],
        }
        if is_apart:
            expected[A.GEN_AI_SYSTEM_INSTRUCTIONS] = system
        if part["type"] == "tool_call":
            expected[A.GEN_AI_TOOL_DEFINITIONS] = [{"type": "function", **TOOL}]
        assert words == expected

    def test_suppressed_calls_pass(self, bench: Bench, seen: Capture) -> None:
        """Honour OpenTelemetry's own switch."""
        with suppress_instrumentation():
            bench.chat()
        assert seen.spans == []

    def test_uninstrument(self, bench: Bench) -> None:
        """Put every original back, and observe calls again after another installation."""
        instrumentor: Any = self.subject.instrumentor()
        with capture(instrumentor) as seen:
            bench.chat()
            instrumentor.uninstrument()
            assert [client.patches for client in instrumentor.libraries] == [{} for _ in instrumentor.libraries]
            bench.chat()
            assert len(seen.spans) == 1
            instrumentor.instrument(**seen.providers, skip_dep_check=True)
            bench.chat()
            assert len(seen.spans) == 2

    def test_an_unsupported_version_is_left_alone(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Warn once about a version that is not supported, and patch nothing."""
        instrumentor: Any = self.subject.instrumentor()
        bench.chat()  # the library is imported
        for client in instrumentor.libraries:
            monkeypatch.setattr(client, "versions", "<0")
        with caplog.at_level(logging.WARNING, "otel_agentops"), capture(instrumentor) as seen:
            bench.chat()
            assert seen.spans == []
            assert [client.patches for client in instrumentor.libraries] == [{} for _ in instrumentor.libraries]
        assert [record for record in caplog.records if "outside the supported range <0" in record.getMessage()]


def _make_comparable(result: object, volatile: frozenset[str]) -> tuple[type, list[object]]:
    """Return the type of a result and its parts as values, or as text without the addresses of objects."""
    parts = result if isinstance(result, list) else [result]
    return type(result), [
        part.model_dump(exclude=volatile) if hasattr(part, "model_dump") else re.sub(r" at 0x[0-9a-f]+", "", repr(part))
        for part in parts
    ]


async def _wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen within five seconds")


async def _collect_garbage() -> None:
    gc.collect()
    for _ in range(10):  # the loop finalises an async generator some rounds later
        await asyncio.sleep(0)
    gc.collect()  # what a generator held until then may be in a cycle of its own, as gRPC's calls are
