"""aiobotocore on httpx, its other backend: bodies are read there through a buffer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bedrock_subject import KEYS
from test_bedrock_invoke import FAMILIES, by_bytes, by_iteration, expected, whole

from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

pytest.importorskip("httpx2", reason="aiobotocore's other backend is not installed: uv pip install httpx2")
httpxsession = pytest.importorskip("aiobotocore.httpxsession", reason="aiobotocore with httpx is not installed")


@pytest.fixture
async def client(provider: FakeProvider) -> AsyncIterator[Any]:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    options: Any = {**KEYS, "endpoint_url": provider.url}
    config = AioConfig(http_session_cls=httpxsession.HttpxSession)
    async with get_session().create_client("bedrock-runtime", config=config, **options) as made:
        yield made


@pytest.mark.parametrize("way", [whole, by_bytes, by_iteration])
async def test_body_can_be_read_in_any_way(provider: FakeProvider, seen: Capture, client: Any, way: Any) -> None:
    model, body, *_ = FAMILIES["claude"]
    result = await client.invoke_model(modelId=model, body=json.dumps(body))
    assert seen.spans == []
    assert json.loads(await way(result["body"]))["id"] == "msg_fake"
    assert seen.spans == [expected(provider, "claude")]
