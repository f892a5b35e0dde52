"""The xai-sdk client under the contract: chats over gRPC."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import xai_sdk
from xai_sdk import chat as words
from xai_sdk.proto import chat_pb2

from otel_agentops.clients.xai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.xai import XaiProvider
from otel_agentops.testing.subject import SCHEMA, ChatRequest, Subject

PARAMS = {"temperature": 0.2, "max_tokens": 64}


class XaiSubject(Subject):
    name = "xai"
    instrumentor = Instrumentor
    provider = "x_ai"
    attempts_known = False
    errors = {
        "400": "INVALID_ARGUMENT",
        "401": "UNAUTHENTICATED",
        "404": "NOT_FOUND",
        "429": "RESOURCE_EXHAUSTED",
        "500": "INTERNAL",
        "503": "UNAVAILABLE",
        "timeout": "DEADLINE_EXCEEDED",
        "cut": "UNAVAILABLE",
        "broken": "UNAVAILABLE",
    }
    missing = {
        "raw": "a gRPC response is a message; there is no raw one",
        "embed": "the SDK has no embeddings",
        "retries": "gRPC's core repeats UNAVAILABLE alone, and nobody sees it: test_xai_chat.py",
        "unset": "None is the only sentinel, and what is None is not in the message",
    }

    def serve(self) -> AbstractContextManager[FakeProvider]:
        return XaiProvider()

    def server(self, provider: Any) -> dict[str, Any]:
        return {"server.address": "127.0.0.1", "server.port": int(provider.xai_host.rpartition(":")[2])}

    def client(self, kind: str, provider: Any, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": xai_sdk.Client, "async": xai_sdk.AsyncClient}[kind]
        options = [] if retries else [("grpc.enable_retries", 0)]
        return made(
            api_key="k",
            api_host=provider.xai_host,
            use_insecure_channel=True,
            channel_options=options,
            timeout=timeout,
        )

    def begun(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        """The chat, not yet sent."""
        return client.chat.create(
            model=request.model,
            messages=list(turns(request)),
            tools=[words.tool(**tool) for tool in request.tools] or None,
            **request.sampling(),
            **more,
        )

    def chat(self, client: Any, request: ChatRequest) -> Any:
        return self.begun(client, request).sample()

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.begun(client, request).stream()

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        schema = chat_pb2.ResponseFormat(format_type="FORMAT_TYPE_JSON_SCHEMA", schema=json.dumps(request.schema))
        return self.begun(client, request, response_format=schema).sample()

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        return client.chat.create(model=request.model, messages=turns(request), **request.sampling()).sample()

    def parameters(self, way: str) -> Mapping[str, Any]:
        form = {"format_type": "FORMAT_TYPE_JSON_SCHEMA", "schema": json.dumps(SCHEMA)}
        return {**PARAMS, "response_format": form} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "failed":
            return {}
        answered = {"gen_ai.response.id": "fake", "openai.response.system_fingerprint": "fp_fake"}
        if way in ("begun", "broken"):
            return answered
        reason = "REASON_TOOL_CALLS" if way == "tools" else "REASON_STOP"
        return {**answered, "gen_ai.response.finish_reasons": [reason]}


def turns(request: ChatRequest) -> Any:
    """The messages, one at a time."""
    if request.system is not None:
        yield words.system(request.system)
    yield words.user(request.user)
