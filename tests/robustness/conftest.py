"""Each SDK, sync and async, on a provider with two aliases."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from bare import Bench

from otel_agentops import _guard
from otel_agentops.testing.fake_provider import Answer, FakeProvider


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> Iterator[None]:
    """What is there before the tests is never garbage: a collection takes 1 ms and not 200."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.alias("gpt-x", "gpt-x-2026-03-01")
        running.alias("claude-x", "claude-x-20260301")
        yield running


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.clear()
    running.answer(lambda call: Answer())
    return running


@pytest.fixture(params=["openai", "anthropic"])
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(sdk: str, kind: str, provider: FakeProvider) -> Bench:
    return Bench(sdk, kind, provider)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard as in production: it swallows, and says so once."""
    monkeypatch.setattr(_guard, "is_strict", False)
    monkeypatch.setattr(_guard, "_warned_keys", set())
