"""A model that no client here is for is observed by Google ADK itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types
from house_calls import ANSWER, TOKENS, check_house_run

from otel_agentops.testing import Capture


class House(BaseLlm):
    """A model of the program."""

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncIterator[LlmResponse]:
        content = types.Content(role="model", parts=[types.Part(text=ANSWER)])
        usage = types.GenerateContentResponseUsageMetadata(
            prompt_token_count=TOKENS[0], candidates_token_count=TOKENS[1]
        )
        if stream:
            yield LlmResponse(content=content, partial=True)
        yield LlmResponse(content=content, partial=False, usage_metadata=usage)


@pytest.mark.parametrize("mode", [StreamingMode.NONE, StreamingMode.SSE])
def test_model_without_a_client_is_counted(seen: Capture, mode: StreamingMode) -> None:
    runner = InMemoryRunner(LlmAgent(name="weather", model=House(model="house-1"), instruction="Be brief."))

    async def ask() -> None:
        await runner.run_debug("What is the weather?", quiet=True, run_config=RunConfig(streaming_mode=mode))

    asyncio.run(ask())
    (span,) = check_house_run(seen, "weather")
    assert span["attributes"]["gen_ai.request.model"] == "house-1"
    assert "otel_agentops.prompt.hash" in span["attributes"]
