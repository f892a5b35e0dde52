"""The clients for clouds are the same client with a hook that sends a request elsewhere: the span says where.

They sign with the clouds' own packages, and only the last step, the connection, is replaced.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import cohere
import httpx
import pytest
from cohere_spans import CALL, RANK

from otel_agentops.testing import Capture

boto3 = pytest.importorskip("boto3")
AWS = {"aws_access_key": "a", "aws_secret_key": "s", "aws_region": "eu-west-1"}
OLD: Any = {"model": "command-x", "message": "hi"}


@pytest.fixture
def kind() -> str:
    return "sync"  # the only one they have


def answering(client: Any, body: dict[str, Any], **headers: str) -> list[httpx.Request]:
    """Answers every request of the client alike; what was asked."""
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, headers={"content-type": "application/json", **headers}, content=json.dumps(body))

    client._client_wrapper.httpx_client.httpx_client._transport = httpx.MockTransport(reply)
    return asked


def told(seen: Capture) -> dict[str, Any]:
    (only,) = seen.spans
    return {
        name: value
        for name, value in only["attributes"].items()
        if name.startswith(("gen_ai.provider", "server.", "gen_ai.usage", "gen_ai.request.model"))
    }


def test_bedrock(seen: Capture) -> None:
    client = cohere.BedrockClient(**AWS)
    counts = {"X-Amzn-Bedrock-Input-Token-Count": "11", "X-Amzn-Bedrock-Output-Token-Count": "5"}
    asked = answering(client, {"text": "Hello.", "finish_reason": "COMPLETE", "generation_id": "g"}, **counts)
    client.chat(**OLD)
    assert asked[0].url.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert told(seen) == {
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "command-x",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "server.address": "bedrock-runtime.eu-west-1.amazonaws.com",
        "server.port": 443,
    }


def test_counts_missing_from_bedrock_are_unknown(seen: Capture) -> None:
    """The client makes -1 of them."""
    client = cohere.BedrockClientV2(**AWS)
    answering(client, {"id": "x", "results": []})
    client.rerank(**RANK)
    assert [name for name in told(seen) if "usage" in name] == []


def test_content_of_bedrock_is_exact(sink: Any) -> None:
    """The client rewrites the request just before it leaves."""
    client = cohere.BedrockClient(**AWS)
    requests = answering(client, {"text": "Hello.", "finish_reason": "COMPLETE", "generation_id": "g"})
    client.chat(**OLD)
    assert sink.contents == [requests[0].content]
    assert "model" not in json.loads(sink.contents[0])


def test_sagemaker(seen: Capture) -> None:
    client = cohere.SagemakerClient(**AWS)
    asked = answering(client, {"text": "Hello.", "finish_reason": "COMPLETE", "generation_id": "g"})
    client.chat(**OLD)
    assert asked[0].url.host == "runtime.sagemaker.eu-west-1.amazonaws.com"
    found = told(seen)
    assert (found["gen_ai.provider.name"], found["server.address"]) == ("aws.sagemaker", asked[0].url.host)


@pytest.mark.skipif(not hasattr(cohere, "OciClientV2"), reason="this version of cohere has no client for OCI")
def test_oci(seen: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = SimpleNamespace(do_request_sign=lambda request: None)
    monkeypatch.setitem(sys.modules, "oci", SimpleNamespace(signer=SimpleNamespace(Signer=lambda **given: signer)))
    client = cohere.OciClientV2(
        oci_user_id="u", oci_fingerprint="f", oci_tenancy_id="t", oci_private_key_content="k",
        oci_region="us-chicago-1", oci_compartment_id="c",
    )  # fmt: skip
    message = {"role": "ASSISTANT", "content": [{"type": "TEXT", "text": "Hello."}]}
    usage = {"inputTokens": 11, "completionTokens": 5}
    answer = {"id": "x", "message": message, "finishReason": "COMPLETE", "usage": usage}
    asked = answering(client, {"chatResponse": answer})
    client.chat(**CALL)
    assert told(seen) == {
        "gen_ai.provider.name": "oci",
        "gen_ai.request.model": "command-x",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "server.address": asked[0].url.host,
        "server.port": 443,
    }
    assert asked[0].url.host == "inference.generativeai.us-chicago-1.oci.oraclecloud.com"


def test_custom_event_hook_changes_nothing(seen: Capture, provider: Any) -> None:
    own = httpx.Client(event_hooks={"request": [lambda request: None]})
    cohere.ClientV2(api_key="k", base_url=provider.url, httpx_client=own).chat(**CALL)
    assert told(seen)["gen_ai.provider.name"] == "cohere"
