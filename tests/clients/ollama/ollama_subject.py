"""The ollama client under the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ollama

from otel_agentops.clients.ollama import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, SCHEMA, Beside, ChatRequest, Subject


class OllamaSubject(Subject):
    name = "ollama"
    instrumentor = Instrumentor
    provider = "ollama"
    sampling = (*Subject.sampling, "top_k")
    params = {"temperature": 0.2, "num_predict": 64}
    missing = {
        "raw": "the SDK has no raw responses",
        "retries": "the SDK never tries again",
    }
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.ollama:OllamaInstrumentor",
        "OpenInference": "openinference.instrumentation.ollama:OllamaInstrumentor",
    }

    beside = (
        Beside("OpenLLMetry", ".* embed", 1, ours=True, answer=True, why="it knows `embeddings` and not `embed`"),
        Beside("OpenInference", ".* embed", 1, ours=True, answer=True, why="it traces chats alone"),
    )

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": ollama.Client, "async": ollama.AsyncClient}[kind]
        return made(host=provider.url, timeout=timeout)

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        return client.chat(**{**_request(request), **more})

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, stream=True)

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, format=request.schema)

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.embed(model=MODEL, input=list(texts))

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, messages=iter(request.turns()))

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, tools=None, format=None, keep_alive=None)

    def close(self, client: Any) -> Any:
        inner = client._client  # before 0.6 nothing closes it
        return inner.aclose() if hasattr(inner, "aclose") else inner.close()

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {}
        return {**self.params, "format": SCHEMA} if way == "structured" else self.params

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        if way in ("failed", "begun", "broken"):
            return {}
        uncounted = {f"gen_ai.usage.{name}": None for name in ("cache_read.input_tokens", "reasoning.output_tokens")}
        return {**uncounted, "gen_ai.response.finish_reasons": ["stop"]}  # also where tools are called


def _request(request: ChatRequest) -> dict[str, Any]:
    options = {"temperature": request.temperature, "num_predict": request.max_tokens}
    given = {name: value for name, value in options.items() if value is not None}
    offered = {"tools": request.functions()} if request.tools else {}
    return {"model": request.model, "messages": request.turns(), "options": given, **offered}
