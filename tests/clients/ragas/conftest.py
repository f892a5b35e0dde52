"""The real Ragas with a judge on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import MODEL, answer_in_form, make_client, run_provider, see_judgements

from otel_agentops.judges.ragas import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call

os.environ["RAGAS_DO_NOT_TRACK"] = "true"


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Return a provider that answers every question of the metrics: half of two statements hold."""

    def answer(call: Call) -> Answer:
        asked = json.dumps(call.body)
        if "NLIStatementOutput" in asked:
            verdicts = {"a": 1, "b": 0}.items()
            statements = [{"statement": name, "reason": "", "verdict": verdict} for name, verdict in verdicts]
            return answer_in_form(call, json.dumps({"statements": statements}))
        if "StatementGeneratorOutput" in asked:
            return answer_in_form(call, json.dumps({"statements": ["a", "b"]}))
        verdict = {"verdict": 1} if "verdict" in asked else {"value": "good"}
        return answer_in_form(call, json.dumps({"reason": "as scripted", **verdict}))

    with run_provider(answer) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def llm(kind: str, provider: FakeProvider) -> Any:
    from ragas.llms import llm_factory  # not installed where its tests are left out

    return llm_factory(MODEL, client=make_client(kind, provider))
