"""The real Phoenix evals with a judge on a fake provider, with what it and our instrumentations emit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from judgements import MODEL, answer_in_form, run_provider
from opentelemetry import trace

from otel_agentops.clients import openai
from otel_agentops.judges.phoenix_evals import Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

VERDICT = {"label": "good", "explanation": "as scripted"}
TEMPLATE = "Is {output} right for {input}?"


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def seen(instrumentor: Instrumentor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """Return what is emitted, the spans of the library included: it asks for the global provider at each call."""
    with capture(openai.Instrumentor(), instrumentor) as everything:
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", everything.tracer_provider)
        yield everything


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with run_provider(lambda call: answer_in_form(call, json.dumps(VERDICT))) as running:
        yield running


@pytest.fixture
def make_judge(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("OPENAI_BASE_URL", provider.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    from phoenix.evals import LLM, ClassificationEvaluator  # not installed where its tests are left out

    def make(**options: Any) -> Any:
        llm = LLM(provider="openai", model=MODEL, client="openai")
        choices = {"good": 1.0, "bad": 0.0}
        judge = {"name": "Correct", "llm": llm, "prompt_template": TEMPLATE, "choices": choices}
        return ClassificationEvaluator(**{**judge, **options})

    return make
