"""The real OpenAI SDK, sync and async, on the local provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from both import done

from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
async def client(kind: str, provider: FakeProvider) -> AsyncIterator[Any]:
    """`openai.OpenAI` or `openai.AsyncOpenAI`; what they return goes through the helpers of `both`."""
    made = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
    talking = made(api_key="k", base_url=provider.openai_url, max_retries=0)
    yield talking
    await done(talking.close())
