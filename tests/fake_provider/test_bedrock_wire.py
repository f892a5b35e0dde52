"""The real botocore understands every shape that the fake provider speaks for Bedrock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from otel_agentops.testing.fake_provider import Answer, Fail, FakeProvider, Malformed, Status, ToolCall, aws_frames

HI: Any = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
ALL = Answer(
    text="Let me see.",
    thinking="Where is Rome?",
    tool_calls=(ToolCall("weather", '{"city": "Rome"}'),),
    cache_write_tokens=3,
    chunks=2,
)
CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "Where is Rome?", "signature": "c2ln"}}},
    {"text": "Let me see."},
    {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Rome"}}},
]


@pytest.fixture
def bedrock(provider: FakeProvider) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "eu-west-1"}
    client = boto3.client("bedrock-runtime", endpoint_url=provider.url, config=config, **keys)
    yield client
    client.close()


def test_a_conversation_is_whole(provider: FakeProvider, bedrock: Any) -> None:
    provider.answer(lambda call: ALL)
    result = bedrock.converse(**HI)
    assert {name: result[name] for name in ("output", "stopReason", "usage")} == {
        "output": {"message": {"role": "assistant", "content": CONTENT}},
        "stopReason": "tool_use",
        "usage": {
            "inputTokens": 4,
            "outputTokens": 5,
            "totalTokens": 16,
            "cacheReadInputTokens": 4,
            "cacheWriteInputTokens": 3,
        },
    }


def test_events_come_in_order(provider: FakeProvider, bedrock: Any) -> None:
    provider.answer(lambda call: ALL)
    kinds = [next(iter(event)) for event in bedrock.converse_stream(**HI)["stream"]]
    delta, stop = ["contentBlockDelta"] * 2, ["contentBlockStop"]
    begun = ["messageStart", *delta, *stop, *delta, *stop]
    assert kinds == [*begun, "contentBlockStart", *delta, *stop, "messageStop", "metadata"]


def test_a_stream_adds_up_to_the_whole_message(bedrock: Any) -> None:
    events = list(bedrock.converse_stream(**HI)["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    plain = bedrock.converse(**HI)
    assert [{"text": "".join(deltas)}] == plain["output"]["message"]["content"]
    assert events[-1]["metadata"]["usage"] == plain["usage"]


def test_chunks_are_bodies_and_the_last_is_counted(bedrock: Any) -> None:
    body = json.dumps({"prompt": "hi"})
    result = bedrock.invoke_model_with_response_stream(modelId="meta.llama3-8b-instruct-v1:0", body=body)
    chunks = [json.loads(event["chunk"]["bytes"]) for event in result["body"]]
    assert "".join(chunk["generation"] for chunk in chunks) == "Hello there."
    assert ["amazon-bedrock-invocationMetrics" in chunk for chunk in chunks] == [False, False, True]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ValidationException"), (429, "ThrottlingException"), (418, "InternalFailure")]
)
def test_errors_have_a_code(provider: FakeProvider, bedrock: Any, status: int, code: str) -> None:
    provider.script(Status(status, message="no"))
    with pytest.raises(ClientError) as caught:
        bedrock.converse(**HI)
    assert caught.value.response["Error"] == {"Code": code, "Message": "no"}


def test_a_stream_can_fail(provider: FakeProvider, bedrock: Any) -> None:
    provider.script(Fail(after=1, message="no"))
    with pytest.raises(EventStreamError) as caught:
        list(bedrock.converse_stream(**HI)["stream"])
    assert caught.value.response["Error"] == {"Code": "modelStreamErrorException", "Message": "no"}


def test_a_stream_can_be_damaged(provider: FakeProvider, bedrock: Any) -> None:
    provider.script(Malformed(after=1))
    with pytest.raises(ChecksumMismatch):
        list(bedrock.converse_stream(**HI)["stream"])


def test_a_frame_is_read_back() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(aws_frames.frame_event("a", b"{}") + aws_frames.frame_exception("b", b"[]"))
    first, second = list(buffer)
    kind = {":content-type": "application/json"}
    assert (first.headers, first.payload) == ({**kind, ":event-type": "a", ":message-type": "event"}, b"{}")
    assert (second.headers, second.payload) == ({**kind, ":exception-type": "b", ":message-type": "exception"}, b"[]")
