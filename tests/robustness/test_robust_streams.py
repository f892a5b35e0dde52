"""Streams, however they end: read as without us, their span ended once, nothing of us left in the context."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import pickle
import threading
from collections.abc import Awaitable, Callable
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import pytest
from bare import App, Bench
from opentelemetry import trace
from tests.clients.both import block, done, drained, each, following

from otel_agentops.testing.fake_provider import Answer, Break, Fail, Hang, Malformed


async def opened(app: App, **more: Any) -> Any:
    return await done(app.ask(app.client(), stream=True, **more))


async def drained_twice(app: App) -> Any:
    stream = await opened(app)
    return [await drained(stream), await drained(stream)]


async def broken_off(app: App) -> Any:
    stream = await opened(app)
    async for chunk in each(stream):
        app.note(chunk.model_dump())
        break
    return await drained(stream)  # a stream goes on where it was left


async def closed_early(app: App) -> Any:
    stream = await opened(app)
    first = await following(stream)
    await done(stream.close())
    app.note(stream.response.is_closed)
    return first


async def closed_twice(app: App) -> Any:
    stream = await opened(app)
    await following(stream)
    await done(stream.close())
    await done(stream.close())


async def closed_unread(app: App) -> Any:
    stream = await opened(app)
    await done(stream.close())
    return await drained(stream)


async def read_after_close(app: App) -> Any:
    stream = await opened(app)
    await following(stream)
    await done(stream.close())
    return await drained(stream)


async def in_a_block(app: App) -> Any:
    async with block(await opened(app)) as stream:
        return await following(stream)


async def block_that_raises(app: App) -> Any:
    async with block(await opened(app)) as stream:
        await following(stream)
        raise LookupError("mine")


async def loop_that_raises(app: App) -> Any:
    async for _ in each(await opened(app)):
        raise LookupError("mine")


async def dropped(app: App) -> Any:
    stream = await opened(app)
    response = stream.response
    await following(stream)
    del stream
    await collected()
    return response.is_closed


async def dropped_unread(app: App) -> Any:
    stream = await opened(app)
    response = stream.response
    del stream
    await collected()
    return response.is_closed


async def dropped_from_a_loop(app: App) -> Any:
    async def read() -> Any:
        async for chunk in each(await opened(app)):
            return chunk
        return None

    first = await read()
    await collected()
    return first


async def cut(app: App) -> Any:
    app.provider.script(Break(after=2))
    return await noted(app, await opened(app))


async def cut_at_once(app: App) -> Any:
    app.provider.script(Break(after=0))
    return await noted(app, await opened(app))


async def malformed(app: App) -> Any:
    app.provider.script(Malformed(after=2))
    return await noted(app, await opened(app))


async def error_event(app: App) -> Any:
    app.provider.script(Fail(after=2))
    return await noted(app, await opened(app))


async def hanging(app: App) -> Any:
    app.provider.script(Hang(30, after=2))
    return await noted(app, await opened(app, timeout=0.1))


async def read_elsewhere(app: App) -> Any:
    """In a thread of its own for the sync client, in a task of its own for the async one."""
    stream = await opened(app)
    if app.kind == "async":
        return await asyncio.create_task(drained(stream))
    return await asyncio.to_thread(list, stream)


async def read_in_another_context(app: App) -> Any:
    stream = await opened(app)
    if app.kind == "async":
        return [chunk async for chunk in stream]
    return contextvars.Context().run(list, stream)


async def read_by_turns(app: App) -> Any:
    """A generator's context is that of whoever asks for the next chunk."""
    stream = await opened(app)
    if app.kind == "async":
        return [await asyncio.create_task(anext_of(stream)) for _ in range(2)]
    return [contextvars.copy_context().run(next, stream) for _ in range(2)]


async def two_readers(app: App) -> Any:
    stream = await opened(app)
    return [await following(stream), await drained(stream), await following(stream)]


async def not_a_chunk_ahead(app: App) -> Any:
    """A chunk is read when it is asked for: the server's cut after it is not noticed before."""
    app.provider.script(Break(after=2))
    stream = await opened(app)
    return [await following(stream), await following(stream)]


async def throw_into_the_generator(app: App) -> Any:
    stream = await opened(app)
    await following(stream)
    iterator = stream._iterator
    error = LookupError("mine")
    try:
        await done(iterator.athrow(error) if app.kind == "async" else iterator.throw(error))
    except LookupError as caught:
        app.note(caught is error)
    return stream.response.is_closed


async def its_class(app: App) -> Any:
    stream = await opened(app)
    kind = type(stream)
    app.note(isinstance(stream, app.stream_class), issubclass(kind, app.stream_class))
    app.note(kind.__name__, kind.__qualname__, kind.__module__, kind.__doc__, repr(stream).partition(" object at ")[0])
    app.note(sorted(name for name in dir(stream) if not name.startswith("__")), sorted(vars(stream)))
    app.note(
        isinstance(stream._iterator, (GeneratorType, AsyncGeneratorType)),
        hasattr(stream, "__next__"),
        hasattr(stream, "__anext__"),
    )
    return await drained(stream)


async def copied(app: App) -> Any:
    """A stream is no value: it is copied and pickled as far as without us."""
    stream = await opened(app)
    twin = copy.copy(stream)
    app.note(twin.response is stream.response, isinstance(twin, app.stream_class))
    for attempt in (copy.deepcopy, pickle.dumps):
        with pytest.raises(Exception):  # noqa: B017  with which error depends on what is met first
            attempt(stream)
    return await drained(stream)


async def two_at_once(app: App) -> Any:
    client = app.client()
    first = await done(app.ask(client, stream=True))
    second = await done(app.ask(client, stream=True))
    return [await following(first), await following(second), await drained(first), await drained(second)]


async def a_call_between_two_chunks(app: App) -> Any:
    client = app.client()
    stream = await done(app.ask(client, stream=True))
    return [await following(stream), await done(app.ask(client)), await drained(stream)]


async def the_manager(app: App) -> Any:
    async with block(app.resource(app.client()).stream(**app.arguments)) as stream:
        async for event in each(stream):
            app.note(type(event).__name__, event.type)
    return True


async def the_manager_left_early(app: App) -> Any:
    async with block(app.resource(app.client()).stream(**app.arguments)) as stream:
        await following(stream)
    return True


async def the_manager_that_raises(app: App) -> Any:
    async with block(app.resource(app.client()).stream(**app.arguments)) as stream:
        async for _ in each(stream):
            raise LookupError("mine")


async def a_manager_never_entered(app: App) -> Any:
    app.resource(app.client()).stream(**app.arguments)
    await collected()


async def bytes_read_by_hand(app: App) -> Any:
    """The application reads the response under the stream."""
    stream = await opened(app)
    body = stream.response.aiter_bytes() if app.kind == "async" else stream.response.iter_bytes()
    return b"".join(await drained(body))


async def unread_response(app: App) -> Any:
    created = app.resource(app.client()).with_streaming_response.create(**app.arguments, stream=True)
    async with block(created) as response:
        stream = await done(response.parse())
        app.note(isinstance(stream, app.stream_class), await done(response.parse()) is stream)
        return await following(stream)


async def unread_lines(app: App) -> Any:
    created = app.resource(app.client()).with_streaming_response.create(**app.arguments, stream=True)
    async with block(created) as response:
        return [line async for line in each(response.iter_lines())]


async def collected() -> None:
    """Dropped is gone: also what the event loop closes on its own."""
    for _ in range(2):
        gc.collect()
        await asyncio.sleep(0.01)


async def noted(app: App, stream: Any) -> Any:
    async for chunk in each(stream):
        app.note(chunk.model_dump())
    return None


async def anext_of(stream: Any) -> Any:
    return await anext(stream)


SCENARIOS: list[Callable[[App], Awaitable[Any]]] = [
    drained_twice, broken_off, closed_early, closed_twice, closed_unread, read_after_close, in_a_block,
    block_that_raises, loop_that_raises, dropped, dropped_unread, dropped_from_a_loop, cut, cut_at_once, malformed,
    error_event, hanging, read_elsewhere, read_in_another_context, read_by_turns, two_readers, not_a_chunk_ahead,
    throw_into_the_generator, its_class, copied, two_at_once, a_call_between_two_chunks, the_manager,
    the_manager_left_early, the_manager_that_raises, a_manager_never_entered, bytes_read_by_hand, unread_response,
    unread_lines,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_stream_is_read_as_without_us_and_ends_once(bench: Bench, scenario: Any) -> None:
    seen = await bench.same(scenario)
    await collected()  # what a reference to the last exception or chunk kept alive
    assert len(seen.spans) == len(bench.provider.requests)


async def test_stream_error_is_recorded_on_the_span(bench: Bench) -> None:
    for scenario in (cut, error_event, hanging):
        (span,) = (await bench.same(scenario)).spans
        assert span["status"] == "ERROR", scenario.__name__
        assert span["attributes"]["gen_ai.response.model"].endswith("20260301" if bench.sdk == "anthropic" else "03-01")


async def test_application_error_is_not_recorded_on_the_span(bench: Bench) -> None:
    for scenario in (block_that_raises, broken_off, closed_early):
        (span,) = (await bench.same(scenario)).spans
        assert span["status"] == "UNSET", scenario.__name__


@pytest.mark.parametrize("kind", ["async"])
async def test_cancelled_stream_ends_as_without_us(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        app.provider.script(Hang(30, after=2))
        stream = await opened(app)

        async def read() -> None:
            async for chunk in stream:
                app.note(chunk.model_dump())

        task = asyncio.create_task(read())
        while len(app.notes) < 2:
            await asyncio.sleep(0.001)
        task.cancel("enough")
        done_, _ = await asyncio.wait([task])
        return [task.cancelled() for task in done_], stream.response.is_closed

    (span,) = (await bench.same(scenario)).spans
    assert span["attributes"]["error.type"] == "asyncio.exceptions.CancelledError"


@pytest.mark.parametrize("kind", ["async"])
async def test_cancelled_or_timed_out_call_ends_as_without_us(bench: Bench) -> None:
    async def scenario(app: App) -> Any:
        app.provider.script(Hang(30), Hang(30))
        client = app.client()
        task = asyncio.create_task(app.ask(client))
        while not app.provider.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        app.note(task.cancelled())
        await asyncio.wait_for(app.ask(client), 0.1)

    seen = await bench.same(scenario)
    assert [span["attributes"]["error.type"] for span in seen.spans] == ["asyncio.exceptions.CancelledError"] * 2


@pytest.mark.parametrize("kind", ["async"])
async def test_unfinished_call_closed_in_another_context_ends(bench: Bench) -> None:
    """As a coroutine that the collector finds: its context is not the one in which it is closed."""

    async def scenario(app: App) -> Any:
        answers = [app.http.Response(400)]

        async def handler(request: Any) -> Any:
            if not answers:
                await asyncio.Event().wait()
            return answers.pop()

        client = app.client(http_client=app.http_client(transport=app.http.MockTransport(handler)))
        with pytest.raises(app.library.BadRequestError):
            await app.ask(client)  # the first call looks the platform up, and waits for that before anything else
        call = app.ask(client)
        future = contextvars.copy_context().run(call.send, None)
        app.note(type(future).__name__)
        call.close()
        return trace.get_current_span().is_recording()

    assert len((await bench.same(scenario)).spans) == 2


@pytest.mark.parametrize("kind", ["sync"])
async def test_stream_shared_by_readers_makes_one_span(bench: Bench) -> None:
    """What two threads may not do to a generator they may not do to ours; one span all the same."""
    bench.provider.answer(lambda call: Answer(text="x" * 400, chunks=200))

    with bench.instrumented() as seen:
        app = App(bench.sdk, bench.kind, bench.provider, seen)
        client = app.client()
        stream = app.ask(client, stream=True)
        errors: list[type[BaseException]] = []

        def read() -> None:
            try:
                for _ in stream:
                    pass
            except ValueError as error:  # generator already executing
                errors.append(type(error))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        stream.close()
        assert len(seen.spans) == 1
        assert set(errors) <= {ValueError}
