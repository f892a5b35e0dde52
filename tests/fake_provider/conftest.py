"""A provider with two aliases, and the real SDKs on it."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from fake_provider import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.alias("claude-x", "claude-x-20260301")
        yield running


@pytest.fixture
def gpt(provider: FakeProvider) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)


@pytest.fixture
def claude(provider: FakeProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url, max_retries=0)


@pytest.fixture
def async_gpt(provider: FakeProvider) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)


@pytest.fixture
def async_claude(provider: FakeProvider) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(api_key="k", base_url=provider.anthropic_url, max_retries=0)
