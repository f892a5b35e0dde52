"""The real LangSmith over a fake of its server, with what our instrumentations of it and of a judge's client emit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from judgements import make_client, run_provider, see_judgements
from langsmith_server import LangsmithServer, run_langsmith_server

from otel_agentops.helpers import _judge
from otel_agentops.judges.langsmith import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture(autouse=True)
def sent_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the judges of other tests have sent."""
    monkeypatch.setattr(_judge, "SENT", _judge.SentPrompts())


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with run_provider(lambda call: Answer(text="0.5")) as running:
        yield running


@pytest.fixture
def server() -> Iterator[LangsmithServer]:
    with run_langsmith_server() as running:
        yield running


@pytest.fixture
def client(kind: str, provider: FakeProvider) -> Any:
    return make_client(kind, provider)
