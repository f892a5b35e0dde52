"""The real SDKs as clients of the provider."""

from __future__ import annotations

import anthropic
import openai
import pytest

from otel_agentops.testing.fake_provider import FakeProvider


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
