"""The ibm-watsonx-ai client under the contract: chats, and completions beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops.clients.watsonx import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import Beside, ChatRequest, Subject

HOST = "us-south.ml.cloud.ibm.com"


class WatsonxSubject(Subject):
    name = "watsonx"
    instrumentor = Instrumentor
    provider = "ibm.watsonx.ai"
    peers = {"OpenLLMetry": "opentelemetry.instrumentation.watsonx:WatsonxInstrumentor"}
    beside = (Beside("OpenLLMetry", ".*", 1, ours=True, answer=True, why="it observes completions alone; theirs then"),)
    missing = {
        "raw": "what the SDK hands out is the JSON itself",
        "one_shot": "the SDK writes the messages as JSON itself, which takes lists alone",
        "unset": "None is the only sentinel, and what is None is not sent",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        from watsonx_api import Watsonx  # the SDK is not in every environment that reads this description

        return Watsonx(kind, provider, HOST, retries, timeout)

    def server(self, provider: FakeProvider) -> dict[str, Any]:
        return {"server.address": HOST, "server.port": 443}

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        return self._called(client, request, ("chat", "achat"), more)

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self._called(client, request, ("chat_stream", "achat_stream"), {})

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=self.format(request.schema))

    def _called(self, client: Any, request: ChatRequest, names: tuple[str, str], more: dict[str, Any]) -> Any:
        method = getattr(client.model(model_id=request.model), names[client.kind == "async"])
        params = {**request.sampling(), **more}
        return method(messages=request.turns(), params=params, tools=request.functions() or None)

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        model = client.embeddings("m-x")
        return (model.agenerate if client.kind == "async" else model.generate)(list(texts))

    def format(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"type": "json_schema", "json_schema": {"name": "order", "schema": json.loads(json.dumps(schema))}}

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        return {} if way == "failed" else {"gen_ai.response.id": "chatcmpl-fake"}
