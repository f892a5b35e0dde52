"""The real Autoevals with a judge on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import make_client, run_provider, see_judgements

from otel_agentops.judges.autoevals import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    def answer(call: Call) -> Answer:
        verdict = json.dumps({"choice": "good", "reasons": "as scripted"})
        return Answer(text="", tool_calls=(ToolCall("select_choice", verdict),))

    with run_provider(answer) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    return make_client(request.param, provider)
