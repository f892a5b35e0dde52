"""A model that no client here is for is observed by the OpenAI Agents SDK itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Agent, Model, ModelResponse, Runner, Usage
from agents.models.fake_id import FAKE_RESPONSES_ID
from house_calls import ANSWER, TOKENS, check_house_run
from openai.types.responses import Response, ResponseCompletedEvent, ResponseOutputMessage, ResponseOutputText
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails, ResponseUsage

from otel_agentops.testing import Capture


def say() -> ResponseOutputMessage:
    text = ResponseOutputText(text=ANSWER, type="output_text", annotations=[])
    return ResponseOutputMessage(
        id=FAKE_RESPONSES_ID, content=[text], role="assistant", status="completed", type="message"
    )


class House(Model):
    """A model of the program."""

    model = "house-1"

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        usage = Usage(requests=1, input_tokens=TOKENS[0], output_tokens=TOKENS[1], total_tokens=sum(TOKENS))
        return ModelResponse(output=[say()], usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        usage = ResponseUsage.model_construct(
            input_tokens=TOKENS[0],
            output_tokens=TOKENS[1],
            total_tokens=sum(TOKENS),
            input_tokens_details=InputTokensDetails.model_construct(cached_tokens=0, cache_write_tokens=0),
            output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        )
        response = Response.model_construct(
            id=FAKE_RESPONSES_ID, model="house-1-2026-03-01", object="response", output=[say()], usage=usage
        )
        yield ResponseCompletedEvent.model_construct(response=response, type="response.completed", sequence_number=0)


async def read(agent: Agent[Any]) -> Any:
    result = Runner.run_streamed(agent, "What is the weather?")
    assert [event async for event in result.stream_events()]
    return result.final_output


async def ask(agent: Agent[Any]) -> Any:
    return (await Runner.run(agent, "What is the weather?")).final_output


@pytest.mark.parametrize("run", [ask, read])
def test_model_without_a_client_is_counted(seen: Capture, loop: asyncio.AbstractEventLoop, run: Any) -> None:
    assert loop.run_until_complete(run(Agent("weather", model=House(), instructions="Be brief."))) == ANSWER
    (span,) = check_house_run(seen, "weather")
    assert (span["name"], span["parent"]) == ("chat house-1", "invoke_workflow weather")
    assert ("gen_ai.response.model" in span["attributes"]) is (run is read)
    assert "otel_agentops.prompt.hash" in span["attributes"]
