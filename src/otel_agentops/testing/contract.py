"""What every adapter is held to: the same calls through any client make the same spans, whatever ends them.

    class TestGroq(Contract):
        subject = GroqSubject()

in a test file is all. pytest is needed and nothing else: asynchronous calls run in a loop of their own. A case that a
client does not have is skipped with the reason that `Subject.missing` gives; one without a reason fails.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, ClassVar

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_agentops._derive import name_error
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, Hang, Status, ToolCall
from otel_agentops.testing.subject import (
    KINDS,
    MODEL,
    RESOLVED,
    SCHEMA,
    SYSTEM,
    TOOL,
    USER,
    Asked,
    Subject,
    expected,
)

_END = object()
_ASKED = Asked()
_WORDS = "Hello there."  # what the provider says
_TOOL_ANSWER = Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Paris"}'),))


async def done(result: Any) -> Any:
    """The result of a call: the value, or what its awaitable gives."""
    return await result if inspect.isawaitable(result) else result


async def each(items: Any) -> AsyncIterator[Any]:
    """The items of an iterator of either kind, one at a time."""
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def following(items: Any) -> Any:
    """The next item of an iterator of either kind; a sentinel where there is none."""
    if hasattr(items, "__aiter__"):
        return await anext(items.__aiter__(), _END)
    return next(iter(items), _END)


class Bench:
    """One kind of client of a subject, the provider that it talks to, and what is emitted meanwhile."""

    def __init__(self, subject: Subject, kind: str, provider: FakeProvider) -> None:
        self.subject = subject
        self.kind = kind
        self.provider = provider

    def run(self, using: Callable[[Any], Coroutine[Any, Any, Any]], **options: Any) -> Any:
        """What a coroutine function makes of a client object, in a loop of its own."""

        async def whole() -> Any:
            client = self.subject.client(self.kind, self.provider, **options)
            try:
                return await using(client)
            finally:
                await done(self.subject.close(client))

        return asyncio.run(whole())

    def chat(self, asked: Asked = _ASKED, **options: Any) -> Any:
        """The result of a plain call."""
        return self.call(lambda client: self.subject.chat(client, asked), **options)

    def call(self, make: Callable[[Any], Any], **options: Any) -> Any:
        """The result of any call. make: client object to the result, or what is to be awaited."""

        async def using(client: Any) -> Any:
            return await done(make(client))

        return self.run(using, **options)

    def stream(self, asked: Asked = _ASKED, **options: Any) -> list[Any]:
        """The items of a stream, read to its end."""

        async def using(client: Any) -> list[Any]:
            return [item async for item in each(await done(self.subject.stream(client, asked)))]

        found: list[Any] = self.run(using, **options)
        return found

    def span(self, way: str, *, parent: str | None = None, **changes: Any) -> dict[str, Any]:
        """The expected span. changes: attributes with `__` for a dot, None for one that is absent."""
        dotted = {name.replace("__", "."): value for name, value in changes.items()}
        found = {**expected(self.subject, way, self.provider), **dotted}
        attributes = {name: found[name] for name in sorted(found) if found[name] is not None}
        return {
            "name": f"{attributes[A.GEN_AI_OPERATION_NAME]} {attributes.get(A.GEN_AI_REQUEST_MODEL, '')}".strip(),
            "kind": "CLIENT",
            "status": "ERROR" if A.ERROR_TYPE in attributes else "UNSET",
            "parent": parent,
            "attributes": attributes,
        }

    def failed(self, case: str, error: BaseException, *statuses: int, way: str = "failed") -> dict[str, Any]:
        """The expected span of a call that failed in this case with what the application saw."""
        kind = self.subject.errors.get(case, name_error(error))
        return self.span(way, error__type=kind, **self.tried(*statuses))

    def tried(self, *statuses: int, waits: list[float] | None = None) -> dict[str, Any]:
        """The attributes of attempts, as `span` takes them."""
        if not self.subject.attempts_known or not statuses:
            return {}
        found: dict[str, Any] = {"otel_agentops__attempt__count": len(statuses)}
        return {
            **found,
            "otel_agentops__attempt__statuses": list(statuses),
            "otel_agentops__attempt__retry_after": waits,
        }


class Contract:
    """The cases. A subclass whose name begins with `Test` has a `subject`; pytest finds the rest."""

    subject: ClassVar[Subject]

    @pytest.fixture(params=KINDS)
    def kind(self, request: pytest.FixtureRequest) -> str:
        """Sync and async."""
        if request.param not in self.subject.kinds:
            pytest.skip(f"{self.subject.name} has no {request.param} client")
        return str(request.param)

    @pytest.fixture
    def bench(self, kind: str) -> Iterator[Bench]:
        """The client's provider, which resolves the alias."""
        with self.subject.serve() as provider:
            provider.alias(MODEL, RESOLVED)
            yield Bench(self.subject, kind, provider)

    @pytest.fixture
    def seen(self) -> Iterator[Capture]:
        """What the instrumentation emits."""
        with capture(self.subject.instrumentor()) as everything:
            yield everything

    def needs(self, case: str, method: str | None = None) -> None:
        """Skip with the subject's reason where it has not got this case; no reason and no method is a failure."""
        if case in self.subject.missing:
            pytest.skip(f"{self.subject.name}: {self.subject.missing[case]}")
        if method is not None and getattr(type(self.subject), method) is getattr(Subject, method):
            pytest.fail(f"{type(self.subject).__name__} has neither {method}() nor a reason in `missing[{case!r}]`")

    # -- answered

    def test_chat(self, bench: Bench, seen: Capture) -> None:
        """A plain call is one whole span, below the span that is current."""
        with seen.tracer_provider.get_tracer("app").start_as_current_span("app"):
            bench.chat()
        call, _ = seen.spans
        assert call == bench.span("chat", parent="app")

    def test_stream(self, bench: Bench, seen: Capture) -> None:
        """A stream read to its end is one whole span."""
        self.needs("stream", "stream")
        assert bench.stream()
        assert seen.spans == [bench.span("stream")]

    def test_raw(self, bench: Bench, seen: Capture) -> None:
        """A response that the client does not parse says as much as one that it does."""
        self.needs("raw", "raw")
        bench.call(lambda client: self.subject.raw(client, Asked()))
        assert seen.spans == [bench.span("raw")]

    def test_tools(self, bench: Bench, seen: Capture) -> None:
        """Offered tools have the identity that they have through any other client, plain and streamed."""
        self.needs("tools")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.chat(Asked(tools=[TOOL]))
        assert seen.spans == [bench.span("tools")]

    def test_tools_in_a_stream(self, bench: Bench, seen: Capture) -> None:
        """The same tools have the same identity in a stream, and its end has the same reason."""
        self.needs("tools")
        self.needs("stream")
        bench.provider.answer(lambda call: _TOOL_ANSWER)
        bench.stream(Asked(tools=[TOOL]))
        (found,) = seen.spans
        plain = bench.span("tools")["attributes"]
        for name in (A.TOOLS_HASH, A.TOOLS_VERSIONS, A.GEN_AI_RESPONSE_FINISH_REASONS):
            assert found["attributes"].get(name) == plain.get(name), name

    def test_structured(self, bench: Bench, seen: Capture) -> None:
        """An answer bound to a schema: the schema is a parameter, the output is JSON."""
        self.needs("structured", "structured")
        bench.call(lambda client: self.subject.structured(client, Asked(schema=SCHEMA)))
        assert seen.spans == [bench.span("structured")]

    def test_embeddings(self, bench: Bench, seen: Capture) -> None:
        """Embeddings are one whole span."""
        self.needs("embed", "embed")
        bench.call(lambda client: self.subject.embed(client, ["hi"]))
        assert seen.spans == [bench.span("embed")]

    def test_measurements(self, bench: Bench, seen: Capture) -> None:
        """Duration once, tokens as on the span."""
        bench.chat()
        attributes = bench.span("chat")["attributes"]
        names = (A.GEN_AI_USAGE_INPUT_TOKENS, A.GEN_AI_USAGE_OUTPUT_TOKENS)
        counted = [point["sum"] for point in seen.metrics.get(M.GEN_AI_CLIENT_TOKEN_USAGE, ())]
        assert counted == [attributes[name] for name in names if name in attributes]
        assert [point["count"] for point in seen.metrics[M.GEN_AI_CLIENT_OPERATION_DURATION]] == [1]

    # -- the request

    def test_one_shot_iterators(self, bench: Bench, seen: Capture) -> None:
        """What can be read once is read by the client alone, and known from what it sends."""
        self.needs("one_shot", "one_shot")
        bench.call(lambda client: self.subject.one_shot(client, Asked()))
        assert USER in str(bench.provider.requests[-1].body)
        assert seen.spans == [bench.span("chat")]

    def test_unset_sentinels(self, bench: Bench, seen: Capture) -> None:
        """What is not given does not become a parameter."""
        self.needs("unset", "unset")
        bench.call(lambda client: self.subject.unset(client, Asked()))
        assert seen.spans == [bench.span("chat")]

    def test_a_changed_tool_is_seen(self, bench: Bench, seen: Capture) -> None:
        """A tool list that is changed in place has another identity, and its first one when it is changed back."""
        self.needs("tools")
        tool = {**TOOL, "description": "Once"}
        for description in ("Once", "Twice", "Once"):
            tool["description"] = description
            bench.chat(Asked(tools=[tool]))
        first, second, third = (span["attributes"][A.TOOLS_HASH] for span in seen.spans)
        assert first == third != second

    # -- not answered

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
    def test_an_error_of_the_provider(self, bench: Bench, seen: Capture, status: int) -> None:
        """One span with the status of the one attempt, and the exception that the application sees."""
        bench.provider.script(Status(status))
        with pytest.raises(Exception) as caught:
            bench.chat()
        assert seen.spans == [bench.failed(str(status), caught.value, status)]

    def test_an_error_of_a_stream(self, bench: Bench, seen: Capture) -> None:
        """The same where a stream was asked for."""
        self.needs("stream")
        bench.provider.script(Status(429))
        with pytest.raises(Exception) as caught:
            bench.stream()
        (found,) = seen.spans
        assert found == bench.failed("429", caught.value, 429) | {"attributes": found["attributes"]}
        assert found["attributes"] == bench.failed("429", caught.value, 429)["attributes"] | {
            A.GEN_AI_REQUEST_STREAM: True
        }

    def test_retries(self, bench: Bench, seen: Capture) -> None:
        """An operation that is tried again is one span with every attempt and what the provider asked to wait."""
        self.needs("retries")
        bench.provider.script(Status(429, retry_after=0.01))
        bench.chat(retries=1)
        assert seen.spans == [bench.span("chat", **bench.tried(429, 200, waits=[0.01]))]
        assert len(bench.provider.requests) == 2

    def test_a_timeout(self, bench: Bench, seen: Capture) -> None:
        """No response came: status 0."""
        self.needs("timeout")
        bench.provider.script(Hang(5))
        with pytest.raises(Exception) as caught:
            bench.chat(timeout=0.2)
        assert seen.spans == [bench.failed("timeout", caught.value, 0)]

    def test_a_cut_connection(self, bench: Bench, seen: Capture) -> None:
        """The same where the connection is cut."""
        self.needs("cut")
        bench.provider.script(Break())
        with pytest.raises(Exception) as caught:
            bench.chat()
        assert seen.spans == [bench.failed("cut", caught.value, 0)]

    def test_a_cancelled_call(self, bench: Bench, seen: Capture) -> None:
        """A task that is cancelled while it waits for the answer."""
        if bench.kind == "sync":
            pytest.skip("a sync call cannot be cancelled")
        bench.provider.script(Hang(5))

        async def using(client: Any) -> None:
            call = asyncio.ensure_future(done(self.subject.chat(client, Asked())))
            await _until(lambda: bool(bench.provider.requests))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        self.needs("cancelled")
        bench.run(using)
        assert seen.spans == [bench.failed("cancelled", asyncio.CancelledError(), 0)]

    # -- streams that do not end

    def test_a_broken_stream(self, bench: Bench, seen: Capture) -> None:
        """What came before the cut is known, and the error is the stream's."""
        self.needs("broken", "stream")
        bench.provider.script(Break(after=2))
        with pytest.raises(Exception) as caught:
            bench.stream()
        assert seen.spans == [bench.failed("broken", caught.value, way="broken")]

    def test_a_dropped_stream(self, bench: Bench, seen: Capture) -> None:
        """A stream that nobody reads on ends without an error when it is collected."""

        async def using(client: Any) -> None:
            stream = await done(self.subject.stream(client, Asked()))
            assert await following(stream) is not _END
            seen.tracer_provider.get_tracer("app").start_span("between").end()
            del stream
            await _collected()

        self.needs("dropped", "stream")
        bench.run(using)
        between, dropped = seen.spans
        assert between["parent"] is None, "the span is current while the application reads"
        assert dropped == bench.span("begun")

    def test_an_exception_of_the_caller(self, bench: Bench, seen: Capture) -> None:
        """What the application raises while it reads is its own; the stream was only left early."""

        async def reading(client: Any) -> None:
            async for _ in each(await done(self.subject.stream(client, Asked()))):
                raise KeyError("mine")

        async def using(client: Any) -> None:
            with pytest.raises(KeyError, match="mine"):
                await reading(client)
            await _collected()

        self.needs("dropped", "stream")
        bench.run(using)
        gc.collect()
        assert seen.spans == [bench.span("begun")]

    def test_a_cancelled_reader(self, bench: Bench, seen: Capture) -> None:
        """A task that is cancelled while it waits for the next item."""
        if bench.kind == "sync":
            pytest.skip("a sync reader cannot be cancelled")
        read: list[Any] = []

        async def reader(client: Any) -> None:
            async for item in each(await done(self.subject.stream(client, Asked()))):
                read.append(item)

        async def using(client: Any) -> None:
            reading = asyncio.create_task(reader(client))
            await _until(lambda: len(read) == came)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            del reading
            await _collected()

        self.needs("cancelled")
        self.needs("broken", "stream")
        came = self._items_before_the_cut(bench)
        seen.clear()
        bench.provider.script(Hang(5, after=2))
        bench.run(using)
        assert seen.spans == [bench.failed("cancelled", asyncio.CancelledError(), way="broken")]

    def _items_before_the_cut(self, bench: Bench) -> int:
        read: list[Any] = []

        async def using(client: Any) -> None:
            async for item in each(await done(self.subject.stream(client, Asked()))):
                read.append(item)

        bench.provider.script(Break(after=2))
        with pytest.raises(Exception):  # noqa: B017  whatever the client makes of it
            bench.run(using)
        return len(read)

    # -- never in the way

    def test_results_are_those_without_us(self, bench: Bench) -> None:
        """The same types and values, plain and streamed."""
        calls = [bench.chat, *([] if "stream" in self.subject.missing else [bench.stream])]
        alone = [call() for call in calls]
        with capture(self.subject.instrumentor()):
            observed = [call() for call in calls]
        assert [type(result) for result in observed] == [type(result) for result in alone]
        volatile = self.subject.volatile
        assert [_comparable(result, volatile) for result in observed] == [
            _comparable(result, volatile) for result in alone
        ]

    def test_no_content_leaves(self, bench: Bench, seen: Capture) -> None:
        """Neither prompt, question nor answer is in any signal."""
        bench.chat(Asked(tools=[] if "tools" in self.subject.missing else [TOOL]))
        emitted = f"{seen.spans} {seen.events} {seen.metrics}"
        assert not [words for words in (SYSTEM, USER, _WORDS, str(TOOL["description"])) if words in emitted]

    def test_suppressed_calls_pass(self, bench: Bench, seen: Capture) -> None:
        """OpenTelemetry's own switch is obeyed."""
        with suppress_instrumentation():
            bench.chat()
        assert seen.spans == []

    def test_uninstrument(self, bench: Bench) -> None:
        """Every original is back, and calls make no span; instrumented again, they do."""
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
        """It is said once, and nothing is patched."""
        instrumentor: Any = self.subject.instrumentor()
        bench.chat()  # the library is imported
        for client in instrumentor.libraries:
            monkeypatch.setattr(client, "versions", "<0")
        with caplog.at_level(logging.WARNING, "otel_agentops"), capture(instrumentor) as seen:
            bench.chat()
            assert seen.spans == []
            assert [client.patches for client in instrumentor.libraries] == [{} for _ in instrumentor.libraries]
        assert [record for record in caplog.records if "outside the supported range <0" in record.getMessage()]


def _comparable(result: Any, volatile: frozenset[str]) -> Any:
    """A result as values or text, without the addresses of objects."""
    parts = result if isinstance(result, list) else [result]
    return [part.model_dump(exclude=volatile) if hasattr(part, "model_dump") else _text(part) for part in parts]


def _text(part: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(part))


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen within five seconds")


async def _collected() -> None:
    gc.collect()
    for _ in range(10):  # an async generator is finalised by its loop, some rounds later
        await asyncio.sleep(0)
