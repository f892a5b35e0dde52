"""The real InferenceClient, sync and async, on a fake of the inference service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import huggingface_hub
import pytest
import pytest_asyncio
from both import done

from otel_agentops.clients.huggingface_hub import Instrumentor


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


@pytest_asyncio.fixture
async def make(kind: str) -> AsyncIterator[Callable[..., Any]]:
    """A client, sync or async, made with these options and closed at the end."""
    opened: list[Any] = []
    kinds = {"sync": huggingface_hub.InferenceClient, "async": huggingface_hub.AsyncInferenceClient}

    def made(**options: Any) -> Any:
        opened.append(kinds[kind](**{"api_key": "k", **options}))
        return opened[-1]

    yield made
    for client in opened:
        await done(client.close() if hasattr(client, "close") else None)
