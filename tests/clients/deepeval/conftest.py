"""The real DeepEval with its own OpenAI model on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judgements import see_judgements

from otel_agentops.judges.deepeval import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call

os.environ["DEEPEVAL_TELEMETRY_OPT_OUT"] = "1"  # read whenever something would be sent

MODEL = "gpt-4o"  # one that the library knows
STEPS = ["Read the question.", "Compare the answer."]


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Return a provider that writes other steps each time, and gives eight of ten points."""
    monkeypatch.chdir(tmp_path)  # the library keeps files in the current folder
    asked_for_steps = 0

    def answer(call: Call) -> Answer:
        nonlocal asked_for_steps
        if "steps" in json.dumps(call.body.get("response_format", {})):
            asked_for_steps += 1
            return Answer(text=json.dumps({"steps": [*STEPS, f"Do this, too: {asked_for_steps}."]}))
        return Answer(text=json.dumps({"score": 8, "reason": "as scripted"}))

    with FakeProvider() as running:
        running.alias(MODEL, f"{MODEL}-2024-11-20")
        running.answer(answer)
        yield running


@pytest.fixture
def case() -> Any:
    from deepeval.test_case import LLMTestCase  # not installed where its tests are left out

    return LLMTestCase(input="What is 2 + 2?", actual_output="4")


@pytest.fixture
def make_metric(provider: FakeProvider) -> Callable[..., Any]:
    from deepeval.metrics import GEval
    from deepeval.models import GPTModel
    from deepeval.test_case import SingleTurnParams

    model = GPTModel(MODEL, api_key="k", base_url=provider.openai_url)
    params = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT]

    def make(**options: Any) -> Any:
        return GEval("Correctness", params, **{"criteria": "Is it right?", "model": model, **options})

    return make
