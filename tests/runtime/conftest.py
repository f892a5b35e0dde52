"""The verbs over everything that both clients emit, and what is said in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

from otel_agentops import _baggage, _guard
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture(scope="session")
def response_classes() -> None:
    """Let the SDKs build their response classes: pydantic does so at first use, and not safely from several threads."""
    with FakeProvider() as provider:
        messages: list[dict[str, str]] = [{"role": "user", "content": "hi"}]
        gpt: Any = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        claude: Any = anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url)
        gpt.chat.completions.create(model="gpt-x", messages=messages)
        list(gpt.chat.completions.create(model="gpt-x", messages=messages, stream=True))
        claude.messages.create(model="claude-x", max_tokens=9, messages=messages)


@pytest.fixture
def seen(response_classes: None) -> Iterator[Capture]:
    with capture(OpenAIInstrumentor(), AnthropicInstrumentor()) as everything:
        yield everything


@pytest.fixture
def gpt(provider: FakeProvider) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=2)


@pytest.fixture
def async_gpt(provider: FakeProvider) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url, max_retries=2)


@pytest.fixture
def claude(provider: FakeProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url, max_retries=0)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What this package says in the log, from a state in which nothing was said before."""
    monkeypatch.setattr(_guard, "_warned_keys", set())
    monkeypatch.setattr(_baggage, "_received_values", {})
    caplog.set_level(logging.WARNING, "otel_agentops")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "otel_agentops"]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard as it is in production: what fails in telemetry is swallowed."""
    monkeypatch.setattr(_guard, "is_strict", False)
