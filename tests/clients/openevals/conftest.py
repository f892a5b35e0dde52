"""The real OpenEvals with a judge on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import MODEL, RESOLVED, answer_in_form

from otel_agentops.clients import openai
from otel_agentops.judges.openevals import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def seen(instrumentor: Instrumentor) -> Iterator[Capture]:
    with capture(openai.Instrumentor(), instrumentor) as everything:
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias(MODEL, RESOLVED)
        running.answer(lambda call: answer_in_form(call, json.dumps({"reasoning": "as scripted", "score": True})))
        yield running


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    import openai as library

    kind = library.OpenAI if request.param == "sync" else library.AsyncOpenAI
    return kind(api_key="k", base_url=provider.openai_url, max_retries=0)
