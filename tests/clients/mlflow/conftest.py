"""The real MLflow with a judge on a fake provider, with what our instrumentation emits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from judgements import run_provider

from otel_agentops.judges.mlflow import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    with run_provider(lambda call: Answer(text=json.dumps({"result": "yes", "rationale": "as scripted"}))) as running:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_API_BASE", running.openai_url)
        yield running
