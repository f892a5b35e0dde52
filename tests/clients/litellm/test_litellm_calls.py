"""What LiteLLM does with a call: other providers' protocols, translated operations, kept and made-up answers."""

from __future__ import annotations

import asyncio
import importlib.metadata
import subprocess
import sys
from typing import Any

import pytest
from both import done, drained
from litellm_spans import CLAUDE, ID, OPENAI, TURNS, USED, answered, asked, attempts, span, with_temperature
from litellm_subject import Both, Read
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from packaging.version import Version
from pydantic import BaseModel
from sent_content import check_content

from otel_agentops.clients import litellm as adapter
from otel_agentops.clients import openai as openai_adapter
from otel_agentops.testing import SECONDS, Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider, Status
from otel_agentops.testing.subject import TOOL

STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}


async def call(library: Any, kind: str, name: str, **given: Any) -> Any:
    library.in_memory_llm_clients_cache.flush_cache()
    found = await done(getattr(library, name if kind == "sync" else f"a{name}")(**given))
    return await drained(Read(found) if kind == "sync" else found) if given.get("stream") else found


# -- one span through an instrumented SDK


async def test_retries_of_the_nested_sdk_are_attempts(
    kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    """LiteLLM hands its retries to openai's SDK, which alone sees them."""
    provider.script(Status(429, retry_after=0.01))
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, num_retries=2, **openai_at)
    waited = {"otel_agentops.attempt.retry_after": [0.01]}
    assert seen.spans == [span(asked("gpt-x", "openai", provider), attempts(429, 200), waited, OPENAI)]


async def test_call_without_the_nested_instrumentation_is_one_span(
    kind: str, library: Any, openai_at: Any, provider: FakeProvider
) -> None:
    with capture(adapter.Instrumentor()) as seen:
        await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, **openai_at)
        assert seen.spans == [span(asked("gpt-x", "openai", provider), attempts(200), OPENAI)]


async def test_call_from_a_callback_is_another_span(
    library: Any, openai_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    """A callback of the application that asks a model itself makes an operation of its own."""
    import openai

    async def judge(*_: Any, **__: Any) -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url) as client:
            await client.chat.completions.create(model="judge", messages=[{"role": "user", "content": "ok?"}])

    class Guardrail(library.integrations.custom_logger.CustomLogger):
        async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> Any:
            await judge()
            return kwargs

    library.callbacks = [Guardrail()]
    try:
        await call(library, "async", "completion", model="openai/gpt-x", messages=TURNS, **openai_at)
    finally:
        library.callbacks = []
    assert sorted(found["name"] for found in seen.spans) == ["chat gpt-x", "chat judge"]
    outer = next(found for found in seen.spans if found["name"] == "chat gpt-x")
    assert outer["attributes"]["otel_agentops.attempt.statuses"] == [200]


# -- what it sends itself


async def test_anthropic_call_records_its_attempts(
    kind: str, library: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    provider.script(Status(429, retry_after=0.01))
    await call(library, kind, "completion", model="anthropic/claude-x", messages=TURNS, num_retries=2, **anthropic_at)
    waited = {"otel_agentops.attempt.retry_after": [0.01]}
    assert seen.spans == [span(asked("claude-x", "anthropic", provider), attempts(429, 200), waited, CLAUDE)]


async def test_anthropic_stream_is_one_span(
    kind: str, library: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    await call(library, kind, "completion", model="anthropic/claude-x", messages=TURNS, **options, **anthropic_at)
    answer = {**CLAUDE, **answered("claude-x-20260301")}
    if Version(importlib.metadata.version("litellm")) < Version("1.103"):  # names no model in these streams
        answer = {**USED, "gen_ai.usage.cache_creation.input_tokens": 0, **answered(None)}
    assert seen.spans == [span(asked("claude-x", "anthropic", provider), STREAMED, attempts(200), answer)]


async def test_fallbacks_of_a_call(
    kind: str, library: Any, openai_at: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    """Inside a running loop LiteLLM makes those of a sync call on a thread."""
    provider.script(Status(500))
    instead = [{"model": "openai/gpt-x", **openai_at}]
    await call(
        library, kind, "completion", model="anthropic/claude-x", messages=TURNS, fallbacks=instead, **anthropic_at
    )
    assert seen.spans == [span(asked("claude-x", "openai", provider), attempts(500, 200), OPENAI)]


def test_fallbacks_of_a_sync_call(
    library: Any, openai_at: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    library.in_memory_llm_clients_cache.flush_cache()
    provider.script(Status(500))
    instead = [{"model": "openai/gpt-x", **openai_at}]
    library.completion("anthropic/claude-x", TURNS, fallbacks=instead, **anthropic_at)
    assert seen.spans == [span(asked("claude-x", "openai", provider), attempts(500, 200), OPENAI)]


async def test_content_of_each_attempt(
    kind: str, library: Any, openai_at: Any, anthropic_at: Any, provider: FakeProvider
) -> None:
    """Of what it sends itself; an instrumented SDK hands on the rest."""
    provider.script(Status(429, retry_after=0.01))
    with check_content(provider, Both()):
        for stream in ({}, {"stream": True}):
            await call(
                library,
                kind,
                "completion",
                model="anthropic/claude-x",
                messages=TURNS,
                num_retries=2,
                **stream,
                **anthropic_at,
            )
            await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, **stream, **openai_at)
    assert len(provider.requests) == 5


# -- other operations


async def test_responses(kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture) -> None:
    given = {"model": "openai/gpt-x", "input": "Hi", "instructions": "Be brief."}
    await call(library, kind, "responses", **given, **openai_at)
    await call(library, kind, "responses", **given, stream=True, **openai_at)
    told = [asked("gpt-x", "openai", provider), attempts(200), OPENAI]
    expected = [span(*told), span(*told, STREAMED)]
    assert list(map(_without_sources, seen.spans)) == list(map(_without_sources, expected))


async def test_responses_emulated_by_chat_are_one_span(
    kind: str, library: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    """LiteLLM makes a chat of them. Of a stream it says the model that was asked for, so nothing is said of it."""
    given = {"model": "anthropic/claude-x", "input": "Hi", "instructions": "Be brief."}
    await call(library, kind, "responses", **given, **anthropic_at)
    await call(library, kind, "responses", **given, stream=True, **anthropic_at)
    told = [asked("claude-x", "anthropic", provider), attempts(200)]
    written = {"gen_ai.usage.cache_creation.input_tokens": 0}
    expected = [span(*told, CLAUDE), span(*told, STREAMED, answered(None), USED, written)]
    assert list(map(_without_sources, seen.spans)) == list(map(_without_sources, expected))


def _without_sources(whole: dict[str, Any]) -> dict[str, Any]:
    """Without the sources of sampling parameters: of some only the answer tells."""
    attributes = {name: value for name, value in whole["attributes"].items() if ".param." not in name}
    return {**whole, "attributes": attributes}


async def test_text_completions(kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture) -> None:
    await call(library, kind, "text_completion", model="openai/gpt-x", prompt="Hi", **openai_at)
    assert seen.spans == [span(asked("gpt-x", "openai", provider, "text_completion"), attempts(200), OPENAI)]


async def test_a_ranking(kind: str, library: Any, provider: FakeProvider, seen: Capture) -> None:
    given = {"query": "q", "documents": ["a", "b"], "api_base": provider.url, "api_key": "k"}
    await call(library, kind, "rerank", model="cohere/rank-x", **given)
    answer = {"gen_ai.response.id": ID, "otel_agentops.model.resolution": "unreported"}
    assert seen.spans == [span(asked("rank-x", "cohere", provider, "retrieval"), attempts(200), answer)]


# -- answers that nobody was asked for


@pytest.mark.parametrize("stream", [False, True])
async def test_mocked_answer_makes_no_attempt(kind: str, library: Any, seen: Capture, stream: bool) -> None:
    more = {"stream": True} if stream else {}
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, mock_response="hm", **more)
    (found,) = seen.spans
    assert found["attributes"]["otel_agentops.attempt.count"] == 0
    assert not [name for name in found["attributes"] if name.startswith(("gen_ai.usage.", "server."))]
    assert seen.metrics.get("gen_ai.client.token.usage", []) == []


async def test_cached_answer_makes_no_attempt(
    library: Any, openai_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    library.cache = library.Cache()
    try:
        for _ in range(2):
            await call(library, "async", "completion", model="openai/gpt-x", messages=TURNS, **openai_at)
            await asyncio.sleep(0.2)  # it is kept by a task of LiteLLM's
    except ModuleNotFoundError as missing:
        pytest.skip(f"{missing.name}: this version reads its cache only with what litellm[proxy] brings")
    finally:
        library.cache = None
    assert len(provider.requests) == 1
    first, second = seen.spans
    assert first == span(asked("gpt-x", "openai", provider), attempts(200), OPENAI)
    assert second == span(asked("gpt-x", "openai", None), attempts(), answered("gpt-x-2026-03-01"))


# -- identity


async def test_tool_hash_equals_that_of_the_openai_client(
    kind: str, library: Any, openai_at: Any, anthropic_at: Any, seen: Capture
) -> None:
    import openai

    tools: Any = [{"type": "function", "function": dict(TOOL)}]
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, tools=tools, **openai_at)
    await call(library, kind, "completion", model="anthropic/claude-x", messages=TURNS, tools=tools, **anthropic_at)
    with openai.OpenAI(api_key="k", base_url=openai_at["api_base"]) as client:
        client.chat.completions.create(model="gpt-x", messages=TURNS, tools=tools)  # type: ignore[call-overload]
    one, two, three = (found["attributes"] for found in seen.spans)
    for name in ("otel_agentops.tools.hash", "otel_agentops.tools.versions", "otel_agentops.prompt.hash"):
        assert one[name] == two[name] == three[name]


async def test_dropped_parameters_are_not_recorded(
    kind: str, library: Any, anthropic_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    given = {"temperature": 0.1, "frequency_penalty": 0.5, "drop_params": True}
    await call(library, kind, "completion", model="anthropic/claude-x", messages=TURNS, **given, **anthropic_at)
    assert "frequency_penalty" not in provider.requests[-1].body
    assert seen.spans == [span(asked("claude-x", "anthropic", provider), with_temperature(0.1), attempts(200), CLAUDE)]


async def test_credentials_are_in_no_hash(
    kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    secret = {"aws_secret_access_key": "s", "vertex_credentials": "v", "extra_headers": {"x": "y"}, "timeout": 5}
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, **secret, **openai_at)
    assert seen.spans == [span(asked("gpt-x", "openai", provider), attempts(200), OPENAI)]


class Found(BaseModel):
    found: bool


async def test_response_class_is_hashed_as_its_schema(
    kind: str, library: Any, openai_at: Any, provider: FakeProvider, seen: Capture
) -> None:
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, response_format=Found, **openai_at)
    sent = provider.requests[-1].body["response_format"]
    await call(library, kind, "completion", model="openai/gpt-x", messages=TURNS, response_format=sent, **openai_at)
    one, two = (found["attributes"] for found in seen.spans)
    assert one["otel_agentops.params.hash"] == two["otel_agentops.params.hash"]
    assert one["gen_ai.output.type"] == "json"


# -- never in the way


async def test_callbacks_of_the_application_are_unchanged(library: Any, openai_at: Any, seen: Capture) -> None:
    before = [list(getattr(library, name)) for name in ("callbacks", "success_callback", "failure_callback")]
    await call(library, "async", "completion", model="openai/gpt-x", messages=TURNS, **openai_at)
    assert [list(getattr(library, name)) for name in ("callbacks", "success_callback", "failure_callback")] == before


async def test_native_tracing_makes_no_second_span(
    library: Any, openai_at: Any, seen: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its callback comes when the call has ended: it finds our span and makes only one of the raw request below it."""
    own = pytest.importorskip("litellm.integrations.opentelemetry", exc_type=ModuleNotFoundError)
    callback = own.OpenTelemetry(
        config=own.OpenTelemetryConfig(exporter=InMemorySpanExporter()), tracer_provider=seen.tracer_provider
    )
    for name in [name for name in vars(library) if name.endswith(("callback", "callbacks"))]:
        if isinstance(kept := getattr(library, name), list):
            monkeypatch.setattr(library, name, kept.copy())  # a call adds the callback to most of these lists
    monkeypatch.setattr(library, "callbacks", [callback])
    await call(library, "async", "completion", model="openai/gpt-x", messages=TURNS, **openai_at)

    def made() -> list[tuple[str, str | None]]:
        """Without what LiteLLM still had to log of the call of another test, and carried over into this loop."""
        return [(found["name"], found["parent"]) for found in seen.spans if found["parent"] != "remote"]

    for _ in range(200):
        if len(made()) == 2:
            break
        await asyncio.sleep(0.01)
    assert made() == [("chat gpt-x", None), ("raw_gen_ai_request", "chat gpt-x")]


def test_instrumenting_does_not_import_litellm() -> None:
    """Its import takes seconds."""
    code = (
        "import sys; from otel_agentops.clients import litellm; litellm.Instrumentor().instrument();"
        "print([name for name in ('litellm', 'openai') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_uninstrument_restores_the_router(library: Any) -> None:
    """Its class keeps what is set on it somewhere else."""
    names = ("completion", "acompletion", "embedding")
    before = [getattr(library.Router, name) for name in names]
    with capture(adapter.Instrumentor(), openai_adapter.Instrumentor()):
        assert all("otel_agentops" in getattr(library.Router, name).__code__.co_filename for name in names)
    assert ["otel_agentops" in getattr(library.Router, name).__code__.co_filename for name in names] == [False] * 3
    assert [getattr(each, "__name__", "") for each in before] == list(names)
