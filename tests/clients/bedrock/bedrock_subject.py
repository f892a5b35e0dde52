"""Bedrock's clients under the contract: Converse through boto3, and through aiobotocore where that is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from otel_agentops.clients.bedrock import Instrumentor
from otel_agentops.semconv import attributes as A
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import KINDS, ChatRequest, Subject

KEYS: Any = {"region_name": "eu-west-1", "aws_access_key_id": "k", "aws_secret_access_key": "s"}
BOTH = KINDS if importlib.util.find_spec("aiobotocore") else ("sync",)
NO_AIO = "aiobotocore is not installed: it wants an older botocore"


class Lazily:
    """A client of aiobotocore, which is only to be had in a block of its own: entered at the first call."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client: Any = None

    async def call(self, name: str, **arguments: Any) -> Any:
        """The result of a method."""
        if self._client is None:
            self._manager = self._make()
            self._client = await self._manager.__aenter__()
        return await getattr(self._client, name)(**arguments)

    async def aclose(self) -> None:
        """Leave the block."""
        if self._client is not None:
            await self._manager.__aexit__(None, None, None)


def call(client: Any, name: str, **arguments: Any) -> Any:
    """The result of a method of either kind of client, or what is to be awaited."""
    return client.call(name, **arguments) if isinstance(client, Lazily) else getattr(client, name)(**arguments)


def made(kind: str, service: str, url: str, *, retries: int = 0, timeout: float = 5.0, mode: str = "standard") -> Any:
    """A client of a service."""
    settings = {"retries": {"total_max_attempts": retries + 1, "mode": mode}, "read_timeout": timeout}
    if kind == "sync":
        return boto3.client(service, endpoint_url=url, config=Config(**settings), **KEYS)
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    options = {**KEYS, "endpoint_url": url, "config": AioConfig(**settings)}
    return Lazily(lambda: get_session().create_client(service, **options))


def conversation(request: ChatRequest) -> dict[str, Any]:
    """The arguments of Converse."""
    sampling = {"temperature": request.temperature, "maxTokens": request.max_tokens}
    found: dict[str, Any] = {
        "modelId": request.model,
        "messages": [{"role": "user", "content": [{"text": request.user}]}],
        "inferenceConfig": {name: value for name, value in sampling.items() if value is not None},
    }
    if request.system is not None:
        found["system"] = [{"text": request.system}]
    if request.tools:
        found["toolConfig"] = {"tools": [{"toolSpec": spec(tool)} for tool in request.tools]}
    return found


def spec(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as Converse has it."""
    return {
        "name": tool["name"],
        "description": tool["description"],
        "inputSchema": {"json": tool["parameters"]},
    }


class BedrockSubject(Subject):
    """Converse and ConverseStream."""

    name = "bedrock"
    instrumentor = Instrumentor
    provider = "aws.bedrock"
    kinds = BOTH
    params = {"temperature": 0.2, "maxTokens": 64}
    sampling = ("temperature", "topP", "stopSequences")
    missing = {
        "raw": "Converse has parsed results alone; the bodies of InvokeModel have tests of their own",
        "structured": "test_bedrock_converse.py: botocore has outputConfig only in its newest versions",
        "embed": "Converse has no embeddings; those of InvokeModel are in test_bedrock_invoke.py",
        "one_shot": "botocore takes lists alone",
        "unset": "botocore has no sentinel: what is not given is left out",
    }
    errors = {"401": "UnrecognizedClientException"}  # the class is that of every error
    peers = {
        "official": "opentelemetry.instrumentation.botocore:BotocoreInstrumentor",
        "OpenLLMetry": "opentelemetry.instrumentation.bedrock:BedrockInstrumentor",
        "OpenInference": "openinference.instrumentation.bedrock:BedrockInstrumentor",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        """A client of the runtime."""
        return made(kind, "bedrock-runtime", provider.url, retries=retries, timeout=timeout)

    def chat(self, client: Any, request: ChatRequest) -> Any:
        """Converse."""
        return call(client, "converse", **conversation(request))

    def stream(self, client: Any, request: ChatRequest) -> Any:
        """ConverseStream."""
        if isinstance(client, Lazily):
            return _stream(client, request)
        return client.converse_stream(**conversation(request))["stream"]

    def differs(self, way: str) -> Mapping[str, Any]:
        """Converse names no model and has no id; it counts what it writes to its cache, and no reasoning."""
        if way == "failed":
            return {}
        found: dict[str, Any] = {A.GEN_AI_RESPONSE_MODEL: None, A.MODEL_RESOLUTION: "unreported"}
        if way in ("begun", "broken"):
            return found
        return found | {
            A.GEN_AI_RESPONSE_FINISH_REASONS: ["tool_use" if way == "tools" else "end_turn"],
            A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: None,
            A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: 0,
        }


async def _stream(client: Lazily, request: ChatRequest) -> Any:
    return (await client.call("converse_stream", **conversation(request)))["stream"]
