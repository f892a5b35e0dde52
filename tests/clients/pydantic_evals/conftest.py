"""The real Pydantic Evals with a judge on a fake provider, with what our instrumentations of all three emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import MODEL, answer_in_form, run_provider

from otel_agentops.clients import openai
from otel_agentops.frameworks import pydantic_ai
from otel_agentops.judges.pydantic_evals import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

VERDICT = {"reason": "as scripted", "pass": True, "score": 0.8}


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def seen(instrumentor: Instrumentor) -> Iterator[Capture]:
    with capture(openai.Instrumentor(), pydantic_ai.Instrumentor(), instrumentor) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with run_provider(lambda call: answer_in_form(call, json.dumps(VERDICT))) as running:
        yield running


@pytest.fixture
def model(provider: FakeProvider) -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel  # not installed where its tests are left out
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=provider.openai_url, api_key="k"))
