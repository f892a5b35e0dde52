"""The real Autoevals with a judge on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import MODEL, RESOLVED

from otel_agentops.clients import openai
from otel_agentops.judges.autoevals import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def seen(instrumentor: Instrumentor) -> Iterator[Capture]:
    with capture(openai.Instrumentor(), instrumentor) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    def answer(call: Call) -> Answer:
        verdict = json.dumps({"choice": "good", "reasons": "as scripted"})
        return Answer(text="", tool_calls=(ToolCall("select_choice", verdict),))

    with FakeProvider() as running:
        running.alias(MODEL, RESOLVED)
        running.answer(answer)
        yield running


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    import openai as library

    kind = library.OpenAI if request.param == "sync" else library.AsyncOpenAI
    return kind(api_key="k", base_url=provider.openai_url, max_retries=0)
