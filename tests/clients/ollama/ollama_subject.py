"""The ollama client under the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ollama

from otel_agentops.clients.ollama import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, SCHEMA, Asked, Beside, Subject


class OllamaSubject(Subject):
    name = "ollama"
    instrumentor = Instrumentor
    provider = "ollama"
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

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        return client.chat(**{**_request(asked), **more})

    def stream(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, stream=True)

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, format=asked.schema)

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.embed(model=MODEL, input=list(texts))

    def one_shot(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, messages=iter(asked.turns()))

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, tools=None, format=None, keep_alive=None)

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


def _request(asked: Asked) -> dict[str, Any]:
    options = {"temperature": asked.temperature, "num_predict": asked.max_tokens}
    given = {name: value for name, value in options.items() if value is not None}
    offered = {"tools": asked.functions()} if asked.tools else {}
    return {"model": asked.model, "messages": asked.turns(), "options": given, **offered}
