"""LiteLLM with its table of prices as it comes with it: else it is fetched when the library is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litellm_subject import Both

from otel_agentops.testing.fake_provider import FakeProvider

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture
def instrumentor() -> Both:
    """Of LiteLLM and of the SDK that it calls OpenAI with."""
    return Both()


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("litellm", reason="litellm is in an environment of its own: make ends")


@pytest.fixture
def openai_at(provider: FakeProvider) -> dict[str, str]:
    """Where what LiteLLM sends with openai's SDK goes."""
    return {"api_base": provider.openai_url, "api_key": "k"}


@pytest.fixture
def anthropic_at(provider: FakeProvider) -> dict[str, str]:
    """Where what it sends itself goes."""
    return {"api_base": provider.anthropic_url, "api_key": "k"}


@pytest.fixture
def router(library: Any, openai_at: dict[str, str], anthropic_at: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """A Router with the models `fast`, at OpenAI, and `slow`, at Anthropic, which stands in for it."""
    deployments = [
        {"model_name": "fast", "litellm_params": {"model": "openai/gpt-x", "temperature": 0.5, **openai_at}},
        {"model_name": "slow", "litellm_params": {"model": "anthropic/claude-x", **anthropic_at}},
    ]
    library.in_memory_llm_clients_cache.flush_cache()  # of another loop
    options = {"fallbacks": [{"fast": ["slow"]}], "num_retries": 1, "retry_after": 0}
    yield lambda **more: library.Router(model_list=deployments, **{**options, **more})
