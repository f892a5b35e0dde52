"""Spans that their maker does not make current: a call finds the one that was started for it, where it was started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from opentelemetry.trace import Span

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


def start(seen: Capture, call: dict[str, Any], operation: str = "chat", name: str = "theirs") -> Span:
    """A span as an instrumentation starts it around a call, not made current."""
    attributes = {"gen_ai.operation.name": operation, "gen_ai.request.model": call["model"]}
    return seen.tracer_provider.get_tracer("theirs").start_span(name, attributes=attributes)


def answers(seen: Capture) -> dict[str, str | None]:
    """Each span that has ended, and whose answer it has."""
    return {span["name"]: span["attributes"].get("gen_ai.response.model") for span in seen.spans}


def test_it_is_enriched(seen: Capture, claude: anthropic.Anthropic) -> None:
    span = start(seen, CALL)
    claude.messages.create(**CALL)
    span.end()
    assert answers(seen) == {"theirs": "claude-x"}


def test_only_for_one_call(seen: Capture, claude: anthropic.Anthropic) -> None:
    span = start(seen, CALL)
    claude.messages.create(**CALL)
    claude.messages.create(**CALL)
    span.end()
    assert answers(seen) == {"chat claude-x": "claude-x", "theirs": "claude-x"}


def test_managers_made_beforehand_each_find_theirs(seen: Capture, claude: anthropic.Anthropic) -> None:
    spans = [start(seen, CALL, name="first"), start(seen, CALL, name="second")]
    claude.messages.create(**CALL)
    assert [span.attributes.get("gen_ai.response.model") for span in spans] == ["claude-x", None]  # type: ignore[attr-defined]
    claude.messages.create(**CALL)
    for span in spans:
        span.end()
    assert answers(seen) == {"first": "claude-x", "second": "claude-x"}


@pytest.mark.parametrize("case", ["another model", "another operation", "ended", "elsewhere", "not recorded by us"])
def test_one_that_is_not_this_call_s(seen: Capture, claude: anthropic.Anthropic, case: str) -> None:
    tracer = seen.tracer_provider.get_tracer("app")
    if case == "another model":
        span = start(seen, OTHER)
    elif case == "another operation":
        span = start(seen, CALL, "execute_tool")
    elif case == "elsewhere":
        with tracer.start_as_current_span("a step before"):
            span = start(seen, CALL)
    elif case == "not recorded by us":
        span = start(Capture(), CALL)
    else:
        span = start(seen, CALL)
        span.end()
    claude.messages.create(**CALL)
    assert answers(seen)["chat claude-x"] == "claude-x"
    assert "gen_ai.response.model" not in span.attributes  # type: ignore[attr-defined]


async def test_calls_at_the_same_time(provider: FakeProvider, seen: Capture) -> None:
    """Each task starts a span and makes its call; the spans are all started before the first call leaves."""
    claude = anthropic.AsyncAnthropic(api_key="k", base_url=provider.anthropic_url, open_telemetry=False)

    async def call(number: int) -> None:
        span = start(seen, CALL, name=f"theirs {number}")
        await asyncio.sleep(0)  # until each of the others has started its own
        await claude.messages.create(**CALL, system=f"You are {number}.")
        span.end()

    await asyncio.gather(*(call(number) for number in range(5)))
    prompts = {span["name"]: span["attributes"]["otel_agentops.prompt.hash"] for span in seen.spans}
    identities = _telemetry.get_default().identities
    assert prompts == {f"theirs {number}": identities.hash_prompt((f"You are {number}.",)) for number in range(5)}
