"""Who serves the model: the SDK's clients of the clouds move the model into the path, and say where they send to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from both import done, drained
from expected_claude import CALL, TRACES, UNTRACED, streamed, whole

from otel_agentops.clients.anthropic import name_provider as named
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

VERTEX: Any = {"region": "eu", "project_id": "p", "access_token": "t"}
BEDROCK: Any = {"aws_region": "eu-west-1", "api_key": "t"}
CLIENTS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "vertex": (anthropic.AnthropicVertex, VERTEX),
    "vertex async": (anthropic.AsyncAnthropicVertex, VERTEX),
    "bedrock": (anthropic.AnthropicBedrock, BEDROCK),
    "bedrock async": (anthropic.AsyncAnthropicBedrock, BEDROCK),
    "foundry": (anthropic.AnthropicFoundry, {"api_key": "k"}),
    "foundry async": (anthropic.AsyncAnthropicFoundry, {"api_key": "k"}),
}
NAMES = {"vertex": "gcp.vertex_ai", "bedrock": "aws.bedrock", "foundry": "anthropic"}
EACH = pytest.mark.parametrize("cloud", list(CLIENTS))


@pytest.fixture
def of(provider: FakeProvider) -> Callable[[str], Any]:
    """A client of a cloud, sent to the fake provider."""

    def client(cloud: str) -> Any:
        kind, options = CLIENTS[cloud]
        return kind(**options, base_url=provider.url, **UNTRACED)

    return client


@EACH
async def test_create(provider: FakeProvider, seen: Capture, of: Callable[[str], Any], cloud: str) -> None:
    await done(of(cloud).messages.create(**CALL))
    assert seen.spans == [whole(provider, gen_ai__provider__name=NAMES[cloud.split()[0]])]


@EACH
async def test_stream(provider: FakeProvider, seen: Capture, of: Callable[[str], Any], cloud: str) -> None:
    if "bedrock" in cloud:
        pytest.importorskip("botocore", reason="the SDK reads Bedrock's streams with botocore: uv pip install botocore")
    await drained(await done(of(cloud).messages.create(**CALL, stream=True)))
    assert seen.spans == [streamed(provider, gen_ai__provider__name=NAMES[cloud.split()[0]])]


async def test_cloud_request_body_has_no_model(provider: FakeProvider, seen: Capture, of: Callable[[str], Any]) -> None:
    """The reason why the model is taken from the call: on the wire it is in the path alone."""
    await done(of("vertex").messages.create(**CALL))
    await done(of("bedrock").messages.create(**CALL))
    assert [request.path for request in provider.requests] == [
        "/projects/p/locations/eu/publishers/anthropic/models/claude-x:rawPredict",
        "/model/claude-x/invoke",
    ]
    assert ["model" in request.body for request in provider.requests] == [False, False]
    hashes = {span["attributes"]["otel_agentops.params.hash"] for span in seen.spans}
    assert len(hashes) == 1, "`anthropic_version` is no parameter: one call has one identity on all clouds"


async def test_vertex_counts_tokens_without_a_span(
    provider: FakeProvider, seen: Capture, of: Callable[[str], Any]
) -> None:
    await done(of("vertex").messages.count_tokens(model="claude-x", messages=CALL["messages"]))
    assert provider.requests[-1].path.endswith("/count-tokens:rawPredict")
    assert seen.spans == []


@EACH
@pytest.mark.skipif(not TRACES, reason="anthropic before 1.14.0 names no provider")
def test_provider_name_equals_that_of_the_sdk(of: Callable[[str], Any], cloud: str) -> None:
    client = of(cloud)
    assert named(client, "127.0.0.1") == client._gen_ai_provider_name == NAMES[cloud.split()[0]]


@EACH
@pytest.mark.skipif(not TRACES, reason="anthropic before 1.14.0 has no tracing of its own")
async def test_native_tracing_of_a_cloud_is_enriched(provider: FakeProvider, seen: Capture, cloud: str) -> None:
    kind, options = CLIENTS[cloud]
    client = kind(**options, base_url=provider.url, open_telemetry={"tracer_provider": seen.tracer_provider})
    await done(client.messages.create(**CALL))
    (only,) = seen.spans
    assert only["name"] == "anthropic.messages.create"
    assert only["attributes"]["gen_ai.provider.name"] == NAMES[cloud.split()[0]]
    assert only["attributes"]["otel_agentops.model.resolution"] == "resolved"
    assert only["attributes"]["otel_agentops.attempt.statuses"] == [200]
