"""A Router's call is one operation by the name that the application asked for; every try is an attempt of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from both import done, drained
from litellm_spans import CLAUDE, OPENAI, TURNS, answered, asked, attempts, span, with_temperature
from litellm_subject import Read

from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Break, FakeProvider, Status

Made = Callable[..., Any]
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}
HALF = with_temperature(0.5)  # of the deployment that is asked first


async def complete(kind: str, router: Any, **more: Any) -> Any:
    call = {"sync": router.completion, "async": router.acompletion}[kind]
    found = await done(call(model="fast", messages=TURNS, **more))
    return await drained(Read(found) if kind == "sync" else found) if more.get("stream") else found


async def test_router_alias_is_the_request_model(
    kind: str, router: Made, provider: FakeProvider, seen: Capture
) -> None:
    await complete(kind, router())
    assert seen.spans == [span(asked("fast", "openai", provider), HALF, attempts(200), OPENAI)]


async def test_retries_and_fallbacks_are_attempts(
    kind: str, router: Made, provider: FakeProvider, seen: Capture
) -> None:
    """The provider is the one that answered."""
    provider.script(Status(500), Status(500))
    await complete(kind, router())
    assert [call.path for call in provider.requests] == ["/v1/chat/completions"] * 2 + ["/v1/messages"]
    assert seen.spans == [span(asked("fast", "anthropic", provider), HALF, attempts(500, 500, 200), CLAUDE)]


async def test_exhausted_fallbacks_are_an_error(kind: str, router: Made, provider: FakeProvider, seen: Capture) -> None:
    provider.script(*[Status(500)] * 4)
    with pytest.raises(Exception, match="as scripted"):
        await complete(kind, router())
    failed = {"error.type": "litellm.exceptions.InternalServerError"}
    assert seen.spans == [span(asked("fast", "anthropic", provider), HALF, attempts(*[500] * 4), failed)]


async def test_a_stream(kind: str, router: Made, provider: FakeProvider, seen: Capture) -> None:
    await complete(kind, router(), stream=True)
    assert seen.spans == [
        span(asked("fast", "openai", provider), HALF, STREAMED, attempts(200), answered("gpt-x-2026-03-01"))
    ]


async def test_restarted_stream_is_one_span(router: Made, provider: FakeProvider, seen: Capture) -> None:
    """It is cut before its first item, the Router asks once more while the application waits for that."""
    provider.script(Break(after=0))
    assert await complete("async", router(), stream=True)
    (found,) = seen.spans
    assert found["attributes"]["otel_agentops.attempt.statuses"] == [200, 200]
    assert "error.type" not in found["attributes"]


async def test_embeddings(kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture) -> None:
    provider.alias("text-x", "text-x-2026-03-01")
    library.in_memory_llm_clients_cache.flush_cache()
    made = library.Router([{"model_name": "small", "litellm_params": {"model": "openai/text-x", **openai_at}}])
    call = {"sync": made.embedding, "async": made.aembedding}[kind]
    await done(call(model="small", input=["hi"]))
    answer = {
        "gen_ai.response.model": "text-x-2026-03-01",
        "otel_agentops.model.resolution": "resolved",
        "gen_ai.usage.input_tokens": 1,
    }
    assert seen.spans == [span(asked("small", "openai", provider, "embeddings"), attempts(200), answer)]


async def test_echoed_model_is_that_of_the_provider(
    kind: str, router: Made, provider: FakeProvider, seen: Capture
) -> None:
    """The Router's name is not the provider's alias: what the provider echoes is the model that was sent."""
    provider.alias("gpt-x", "gpt-x")
    await complete(kind, router())
    assert seen.spans[0]["attributes"]["otel_agentops.model.resolution"] == "echoed"


async def test_router_without_a_deployment_is_an_error(
    kind: str, router: Made, provider: FakeProvider, seen: Capture
) -> None:
    """An operation that failed although nothing was sent."""
    made = router()
    call = {"sync": made.completion, "async": made.acompletion}[kind]
    with pytest.raises(Exception, match="absent") as caught:
        await done(call(model="absent", messages=TURNS))
    assert provider.requests == []
    (found,) = seen.spans
    assert found["name"] == "chat absent"
    assert found["attributes"]["error.type"] == f"{type(caught.value).__module__}.{type(caught.value).__name__}"
    assert found["attributes"]["otel_agentops.attempt.count"] == 0
    assert "server.address" not in found["attributes"]
