"""The real Inspect with a grader on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from judgements import MODEL, RESOLVED, see_judgements

from otel_agentops.judges.inspect_ai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture(scope="module")
def only_provider() -> Iterator[FakeProvider]:
    """Start one provider for all tests: Inspect keeps a client for each name of a model."""
    with FakeProvider() as running:
        running.alias(MODEL, RESOLVED)
        yield running


@pytest.fixture
def provider(only_provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    only_provider.clear()
    only_provider.answer(lambda call: Answer(text="As scripted. GRADE: C"))
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", only_provider.openai_url)
    return only_provider
