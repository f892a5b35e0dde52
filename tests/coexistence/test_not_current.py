"""Spans that are not current or described late: a call finds the span that was started for it in its context."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import anthropic
import pytest
from opentelemetry.context import attach, detach, set_value
from opentelemetry.trace import Span, use_span

from otel_agentops import _telemetry
from otel_agentops.clients.anthropic import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

CALL: Any = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
OTHER = {**CALL, "model": "claude-y"}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture
def seen() -> Iterator[Capture]:
    with capture(Instrumentor()) as everything:
        _telemetry.get_default().watch_provider()
        yield everything


@pytest.fixture
def claude(provider: FakeProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url, open_telemetry=False)


def start_span(seen: Capture, call: dict[str, Any], operation: str = "chat", name: str = "theirs") -> Span:
    """Start a span as an instrumentation does around a call, without making it current."""
    attributes = {"gen_ai.operation.name": operation, "gen_ai.request.model": call["model"]}
    return seen.tracer_provider.get_tracer("theirs").start_span(name, attributes=attributes)


def list_answers(seen: Capture) -> dict[str, str | None]:
    """Return the answer of each span that has ended."""
    return {span["name"]: span["attributes"].get("gen_ai.response.model") for span in seen.spans}


def test_started_span_is_enriched(seen: Capture, claude: anthropic.Anthropic) -> None:
    span = start_span(seen, CALL)
    claude.messages.create(**CALL)
    span.end()
    assert list_answers(seen) == {"theirs": "claude-x"}


def test_started_span_serves_one_call(seen: Capture, claude: anthropic.Anthropic) -> None:
    span = start_span(seen, CALL)
    claude.messages.create(**CALL)
    claude.messages.create(**CALL)
    span.end()
    assert list_answers(seen) == {"chat claude-x": "claude-x", "theirs": "claude-x"}


def test_spans_started_beforehand_are_each_found(seen: Capture, claude: anthropic.Anthropic) -> None:
    spans = [start_span(seen, CALL, name="first"), start_span(seen, CALL, name="second")]
    claude.messages.create(**CALL)
    assert [span.attributes.get("gen_ai.response.model") for span in spans] == ["claude-x", None]  # type: ignore[attr-defined]
    claude.messages.create(**CALL)
    for span in spans:
        span.end()
    assert list_answers(seen) == {"first": "claude-x", "second": "claude-x"}


@pytest.mark.parametrize("case", ["another model", "another operation", "ended", "elsewhere", "not recorded by us"])
def test_span_of_another_call_is_left_alone(seen: Capture, claude: anthropic.Anthropic, case: str) -> None:
    tracer = seen.tracer_provider.get_tracer("app")
    if case == "another model":
        span = start_span(seen, OTHER)
    elif case == "another operation":
        span = start_span(seen, CALL, "execute_tool")
    elif case == "elsewhere":
        with tracer.start_as_current_span("a step before"):
            span = start_span(seen, CALL)
    elif case == "not recorded by us":
        span = start_span(Capture(), CALL)
    else:
        span = start_span(seen, CALL)
        span.end()
    claude.messages.create(**CALL)
    assert list_answers(seen)["chat claude-x"] == "claude-x"
    assert "gen_ai.response.model" not in span.attributes  # type: ignore[attr-defined]


DESCRIPTIONS: dict[str, dict[str, str]] = {
    "OpenLLMetry": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-x"},
    "Langfuse": {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "claude-x"},
    "Langfuse without a model": {"langfuse.observation.type": "generation"},
}


@pytest.mark.parametrize("maker", DESCRIPTIONS)
def test_span_described_after_its_start_is_enriched(seen: Capture, claude: anthropic.Anthropic, maker: str) -> None:
    span = seen.tracer_provider.get_tracer("theirs").start_span("ChatAnthropic.chat")
    span.set_attributes(DESCRIPTIONS[maker])
    claude.messages.create(**CALL)
    span.end()
    assert list_answers(seen) == {"ChatAnthropic.chat": "claude-x"}
    assert seen.metrics == {}


def test_span_described_as_another_thing_is_left_alone(seen: Capture, claude: anthropic.Anthropic) -> None:
    span = seen.tracer_provider.get_tracer("theirs").start_span("theirs")
    span.set_attribute("langfuse.observation.type", "retriever")
    claude.messages.create(**CALL)
    span.end()
    assert list_answers(seen) == {"chat claude-x": "claude-x", "theirs": None}


@contextmanager
def set_key(key: str) -> Iterator[None]:
    token = attach(set_value(key, True))
    yield
    detach(token)


@pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_language_model_instrumentation"])
def test_suppressed_call_has_no_span_of_ours(seen: Capture, claude: anthropic.Anthropic, key: str) -> None:
    with set_key(key):
        claude.messages.create(**CALL)
    assert (seen.spans, seen.metrics) == ([], {})


@pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_language_model_instrumentation"])
@pytest.mark.parametrize("is_current", [True, False])
def test_span_of_a_suppressed_call_is_enriched(
    seen: Capture, claude: anthropic.Anthropic, key: str, is_current: bool
) -> None:
    """As logfire does it, whose span is current, and OpenLLMetry's langchain package, whose is not."""
    span = start_span(seen, CALL)
    with use_span(span) if is_current else nullcontext(), set_key(key):
        claude.messages.create(**CALL)
        claude.messages.create(**OTHER)
    span.end()
    assert list_answers(seen) == {"theirs": "claude-x"}


def test_key_that_is_left_behind_suppresses_nothing(seen: Capture, claude: anthropic.Anthropic) -> None:
    """OpenLLMetry's langchain package leaves it in a task after `ainvoke`."""
    scope = "opentelemetry.instrumentation.langchain"
    span = seen.tracer_provider.get_tracer(scope).start_span("ChatAnthropic.chat")
    with set_key("suppress_language_model_instrumentation"):
        span.set_attributes(DESCRIPTIONS["OpenLLMetry"])
        claude.messages.create(**CALL)
        span.end()
        claude.messages.create(**CALL)
    assert list_answers(seen) == {"ChatAnthropic.chat": "claude-x", "chat claude-x": "claude-x"}


async def test_concurrent_calls_find_their_spans(provider: FakeProvider, seen: Capture) -> None:
    """Each task starts a span and makes its call; the spans are all started before the first call leaves."""
    claude = anthropic.AsyncAnthropic(api_key="k", base_url=provider.anthropic_url, open_telemetry=False)

    async def call(number: int) -> None:
        span = start_span(seen, CALL, name=f"theirs {number}")
        await asyncio.sleep(0)  # until each of the others has started its own
        await claude.messages.create(**CALL, system=f"You are {number}.")
        span.end()

    await asyncio.gather(*(call(number) for number in range(5)))
    prompts = {span["name"]: span["attributes"]["otel_agentops.prompt.hash"] for span in seen.spans}
    identities = _telemetry.get_default().identities
    assert prompts == {f"theirs {number}": identities.hash_prompt((f"You are {number}.",)) for number in range(5)}
