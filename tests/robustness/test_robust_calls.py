"""Calls in unusual places and from unusual clients: hooks, retries, subclasses, own HTTP clients, other contexts."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bare import App, Bench
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from tests.clients.both import block, done, drained

from otel_agentops import _telemetry
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Break, Fail, Hang, Malformed, Status


def nothing(seen: Capture) -> None:
    """Nothing is broken, but the guard may have something to say."""


def hooked(app: App, **hooks: Any) -> Any:
    """An HTTP client with event hooks. hooks: on_request, on_response, plain functions."""

    def fitting(hook: Callable[[Any], Any]) -> Any:
        async def awaited(event: Any) -> None:
            await done(hook(event))

        return awaited if app.kind == "async" else hook

    return app.http_client(event_hooks={name.removeprefix("on_"): [fitting(hook)] for name, hook in hooks.items()})


def raising(step: Any, **options: Any) -> Callable[[App], Awaitable[Any]]:
    async def scenario(app: App) -> Any:
        if step is not None:
            app.provider.script(step)
        return await done(app.ask(app.client(), **options))

    return scenario


FAILURES = {
    "400": Status(400), "401": Status(401), "404": Status(404), "409": Status(409), "413": Status(413),
    "422": Status(422), "429": Status(429, retry_after=0.001), "500": Status(500), "529": Status(529),
    "cut": Break(), "not JSON": Malformed(), "failed": Fail(),
}  # fmt: skip


@pytest.mark.parametrize("step", FAILURES.values(), ids=FAILURES)
async def test_failed_call_raises_as_without_us(bench: Bench, step: Any) -> None:
    (span,) = (await bench.same(raising(step))).spans
    expected = "UNSET" if bench.sdk == "anthropic" and isinstance(step, Malformed) else "ERROR"
    assert span["status"] in {expected, "ERROR"}


async def test_timed_out_call_has_its_error_type(bench: Bench) -> None:
    (span,) = (await bench.same(raising(Hang(30), timeout=0.05))).spans
    assert span["attributes"]["error.type"].endswith("APITimeoutError")


async def test_unreachable_server_makes_one_span(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        return await done(app.ask(app.client(base_url="http://127.0.0.1:9/")))

    assert len((await bench.same(scenario)).spans) == 1


class HostileError(Exception):
    """Whoever looks at it is punished."""

    @property
    def status_code(self) -> int:
        raise RuntimeError("do not look")

    @property
    def response(self) -> Any:
        raise RuntimeError("do not look")


class TeapotError(Exception):
    status_code = "teapot"
    response = 5


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("error", [LookupError("mine"), HostileError("mine"), TeapotError("mine")], ids=repr)
@pytest.mark.parametrize("where", ["on_request", "on_response"])
async def test_hook_exception_reaches_the_application(bench: Bench, error: Exception, where: str) -> None:
    async def scenario(app: App) -> Any:
        def hook(event: Any) -> None:
            raise error.with_traceback(None)

        try:
            return await done(app.ask(app.client(http_client=hooked(app, **{where: hook}))))
        except Exception as caught:  # noqa: BLE001  an SDK may wrap it
            app.note(caught is error, caught.__cause__ is error)
            raise LookupError(repr(caught)) from None

    assert len((await bench.same(scenario, nothing)).spans) == 1


async def test_call_inside_a_hook_has_its_own_span(bench: Bench) -> None:
    """The inner call is whole, and the outer one as it is alone."""

    async def scenario(app: App) -> Any:
        inner = app.client()

        def hook(event: Any) -> Any:
            return app.ask(inner)

        return await done(app.ask(app.client(http_client=hooked(app, on_request=hook))))

    first, second = (await bench.same(scenario, ignoring="traceparent")).spans  # Anthropic's client sends the current
    assert (first["parent"], second["parent"]) == (second["name"], None)
    assert first["attributes"] == second["attributes"]


async def test_unobserved_call_in_a_hook_is_not_counted_for_the_outer(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        inner = app.client(max_retries=2)

        async def other() -> None:
            app.provider.script(Status(429, retry_after=0.001), when=lambda call: "models" in call.path)
            with pytest.raises(app.library.APIStatusError):
                await done(inner.post("/models/x", cast_to=object, body={}))
            with suppress_instrumentation():
                await done(app.ask(inner, extra_body={"seed": 1}))

        async def hook(event: Any) -> None:
            await other()

        def sync_hook(event: Any) -> None:
            app.provider.script(Status(429, retry_after=0.001), when=lambda call: "models" in call.path)
            with pytest.raises(app.library.APIStatusError):
                inner.post("/models/x", cast_to=object, body={})
            with suppress_instrumentation():
                app.ask(inner, extra_body={"seed": 1})

        return await done(
            app.ask(app.client(http_client=hooked(app, on_request=hook if app.kind == "async" else sync_hook)))
        )

    (span,) = (await bench.same(scenario, ignoring="traceparent")).spans
    assert span["attributes"]["otel_agentops.attempt.statuses"] == [200]
    sources = {value for key, value in span["attributes"].items() if "seed" in key}
    assert sources <= {"unset"}, "the seed is that of the inner call"


async def test_call_inside_a_span_processor_works(bench: Bench) -> None:
    """Say one that grades answers; it suppresses itself, as any exporter does."""
    grades: list[Any] = []

    async def scenario(app: App) -> Any:
        return await done(app.ask(app.client()))

    bare = await bench.observe(scenario)
    with bench.instrumented() as seen:
        app = App(bench.sdk, "sync", bench.provider, seen)
        client = app.client()

        class Grader(SpanProcessor):
            def on_end(self, span: Any) -> None:
                with suppress_instrumentation():
                    grades.append(app.ask(client))

        seen.tracer_provider.add_span_processor(Grader())
        watched = await bench.observe(scenario, seen)
        client.close()
    assert (watched.outcome, watched.context) == (bare.outcome, bare.context)
    assert len(seen.spans) == len(grades) == 1


async def test_suppressed_calls_have_no_span(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        client = app.client()
        with suppress_instrumentation():
            return [await done(app.ask(client)), await drained(await done(app.ask(client, stream=True)))]

    seen = await bench.same(scenario)
    assert (seen.spans, seen.metrics) == ([], {})


async def test_unsampled_call_is_still_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No span, and still counted: metrics are not sampled."""

    async def scenario(app: App) -> Any:
        client = app.client()
        return [await done(app.ask(client)), await drained(await done(app.ask(client, stream=True)))]

    def off(seen: Capture) -> None:
        monkeypatch.setattr(
            _telemetry.get_default().spans, "tracer", TracerProvider(sampler=ALWAYS_OFF).get_tracer("otel_agentops")
        )

    seen = await bench.same(scenario, off)
    assert seen.spans == []
    assert sum(point["count"] for point in seen.metrics["gen_ai.client.operation.duration"]) == 2


async def test_span_is_current_during_the_call_only(bench: Bench) -> None:
    current: list[Any] = []

    async def scenario(app: App) -> Any:
        def hook(event: Any) -> None:
            current.append(trace.get_current_span().get_span_context().span_id)

        client = app.client(http_client=hooked(app, on_request=hook))
        before = otel_context.get_current()
        stream = await done(app.ask(client, stream=True))
        app.note(otel_context.get_current() == before)
        async with block(stream):
            app.note(otel_context.get_current() == before)
        return otel_context.get_current() == before

    seen = await bench.same(scenario)
    (span,) = seen.finished_spans
    assert span.context is not None
    assert current == [0, span.context.span_id, 0]


async def test_derived_clients_are_observed(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        client = app.client()
        made = [
            client.with_options(timeout=5),
            client.copy(max_retries=1),
            client.with_options(default_headers={"x-a": "b"}),
            copy.copy(client),
        ]
        app.note([type(one) for one in made])
        return [await done(app.ask(one)) for one in made]

    assert len((await bench.same(scenario)).spans) == 4


async def test_subclass_of_the_client_is_observed(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        base = app.client_class

        class Mine(base):  # type: ignore[misc, valid-type]
            """Overrides what it may, calls super, is not hashable."""

            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                return True

            def request(self, *args: Any, **kwargs: Any) -> Any:
                app.note("request", len(args), sorted(kwargs))
                return super().request(*args, **kwargs)

            def _prepare_options(self, options: Any) -> Any:
                app.note("prepare")
                return super()._prepare_options(options)

            @property
            def default_headers(self) -> Any:
                return {**super().default_headers, "x-mine": "1"}

        return await done(app.ask(app.client(Mine)))

    assert len((await bench.same(scenario)).spans) == 1


async def test_custom_stream_class_is_kept(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        base = app.stream_class

        class Mine(base[object]):  # type: ignore[misc, valid-type]
            """Counts its iterators."""

            def __stream__(self) -> Any:
                app.note("made")
                return super().__stream__()

        client = app.client()
        path = "/chat/completions" if app.sdk == "openai" else "/v1/messages"
        body = {**app.arguments, "stream": True}
        stream = await done(client.post(path, cast_to=object, body=body, stream=True, stream_cls=Mine))
        app.note(isinstance(stream, Mine))
        return len(await drained(stream))

    assert len((await bench.same(scenario)).spans) == 1


async def test_custom_http_client_is_observed(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        seen: list[str] = []

        def handler(request: Any) -> Any:
            seen.append(request.method)
            return app.http.Response(200, json={"id": "x", "model": "m", "extra": [1]}, headers={"x-a": "b"})

        client = app.client(http_client=app.http_client(transport=app.http.MockTransport(handler)))
        raw = await done(app.resource(client).with_raw_response.create(**app.arguments))
        app.note(dict(raw.headers), raw.status_code, seen)
        return await done(app.ask(client))

    assert len((await bench.same(scenario)).spans) == 2


async def test_shared_response_object_is_accepted(bench: Bench) -> None:
    """A transport that hands out what it kept."""

    async def scenario(app: App) -> Any:
        kept = app.http.Response(200, json={"id": "x", "model": "m"})
        client = app.client(http_client=app.http_client(transport=app.http.MockTransport(lambda request: kept)))
        return [await done(app.ask(client)) for _ in range(3)]

    assert len((await bench.same(scenario)).spans) == 3


@pytest.mark.parametrize(
    "body", [{}, [], "text", None, 5, {"model": 5, "usage": "x", "choices": {}, "id": []}], ids=repr
)
async def test_answers_of_an_unknown_shape_make_one_span(bench: Bench, body: Any) -> None:
    async def scenario(app: App) -> Any:
        handler = app.http.MockTransport(lambda request: app.http.Response(200, json=body))
        client = app.client(http_client=app.http_client(transport=handler))
        return await done(app.ask(client))

    assert len((await bench.same(scenario)).spans) == 1


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("chunk", [{}, [], "text", 5, {"type": 5, "choices": {}, "model": 5, "usage": "x"}], ids=repr)
async def test_chunks_of_an_unknown_shape_pass_unchanged(bench: Bench, chunk: Any) -> None:
    import json

    events = "".join(f"event: {name}\ndata: {json.dumps(chunk)}\n\n" for name in ("message_start", "message_delta"))

    async def scenario(app: App) -> Any:
        def handler(request: Any) -> Any:
            return app.http.Response(200, text=events, headers={"content-type": "text/event-stream"})

        client = app.client(http_client=app.http_client(transport=app.http.MockTransport(handler)))
        return await drained(await done(app.ask(client, stream=True)))

    assert len((await bench.same(scenario, nothing)).spans) == 1


async def test_strict_response_validation_still_raises(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        handler = app.http.MockTransport(lambda request: app.http.Response(200, json={"id": 5, "model": "m"}))
        http = app.http_client(transport=handler)
        return await done(app.ask(app.client(http_client=http, _strict_response_validation=True)))

    (span,) = (await bench.same(scenario)).spans
    assert span["attributes"]["gen_ai.response.model"] == "m"


async def test_results_can_be_copied_and_pickled(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        client = app.client()
        answer = await done(app.ask(client))
        raw = await done(app.resource(client).with_raw_response.create(**app.arguments))
        app.note(copy.deepcopy(answer) == answer, pickle.loads(pickle.dumps(answer)) == answer)
        app.note(pickle.loads(pickle.dumps(raw.http_response)).json())
        app.note(type(raw), sorted(vars(answer)), answer._request_id)
        return pickle.loads(pickle.dumps(answer))

    assert len((await bench.same(scenario)).spans) == 2


@pytest.mark.parametrize("kind", ["sync"])
def test_threads_on_one_client_lose_no_span(bench: Bench) -> None:
    """8 threads on one client, plain and streamed by turns."""
    with bench.instrumented() as seen:
        app = App(bench.sdk, bench.kind, bench.provider, seen)
        client = app.client()

        def work() -> None:
            for _ in range(12):
                app.ask(client)
                list(app.ask(client, stream=True))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        spans = seen.finished_spans
        assert len(spans) == len({span.context.span_id for span in spans if span.context}) == 8 * 12 * 2
        assert {span.parent for span in spans} == {None}
        assert sum(point["count"] for point in seen.metrics["gen_ai.client.operation.duration"]) == 192


@pytest.mark.parametrize("kind", ["async"])
async def test_concurrent_coroutines_lose_no_span(bench: Bench) -> None:
    with bench.instrumented() as seen:
        app = App(bench.sdk, bench.kind, bench.provider, seen)
        client = app.client()

        async def work() -> None:
            await app.ask(client)
            await drained(await app.ask(client, stream=True))

        await asyncio.gather(*(work() for _ in range(40)))
        await client.close()
        assert len(seen.spans) == 80
        assert {span["parent"] for span in seen.spans} == {None}


@pytest.mark.parametrize("kind", ["async"])
async def test_async_call_is_made_when_awaited(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        call = app.ask(app.client())
        await asyncio.sleep(0)
        app.note(type(call).__name__, call.__qualname__, len(app.provider.requests))
        answer = await call
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await call
        return answer

    assert len((await bench.same(scenario)).spans) == 1


@pytest.mark.parametrize("kind", ["async"])
async def test_async_call_never_awaited_makes_no_span(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        app.ask(app.client())

    assert (await bench.same(scenario)).spans == []
