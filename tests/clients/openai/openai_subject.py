"""The openai client under the contract: chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openai

from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import SCHEMA, Asked, Subject

PARAMS = {"temperature": 0.2, "max_tokens": 64}


class OpenaiSubject(Subject):
    name = "openai"
    instrumentor = Instrumentor
    provider = "openai"
    peers = {
        "official": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "OpenLLMetry": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "OpenInference": "openinference.instrumentation.openai:OpenAIInstrumentor",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
        return made(api_key="k", base_url=provider.openai_url, max_retries=retries, timeout=timeout)

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        offered = {"tools": asked.functions()} if asked.tools else {}
        return client.chat.completions.create(
            model=asked.model, messages=asked.turns(), **asked.sampling(), **offered, **more
        )

    def stream(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, stream=True, stream_options={"include_usage": True})

    def raw(self, client: Any, asked: Asked) -> Any:
        return client.chat.completions.with_raw_response.create(
            model=asked.model, messages=asked.turns(), **asked.sampling()
        )

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, response_format=_format(asked.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.embeddings.create(model="m-x", input=list(texts))

    def one_shot(self, client: Any, asked: Asked) -> Any:
        return client.chat.completions.create(model=asked.model, messages=iter(asked.turns()), **asked.sampling())

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, tools=openai.omit, top_p=openai.not_given, seed=openai.omit)

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"encoding_format": "base64"}
        return {**PARAMS, "response_format": _format(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {
                "gen_ai.request.encoding_formats": ["base64"],
                "gen_ai.usage.input_tokens": 1,
                "otel_agentops.param.encoding_format.source": "unknown",
            }
        asked = {"openai.api.type": "chat_completions"}
        if way == "failed":
            return asked
        answered = {
            "gen_ai.response.id": "chatcmpl-fake",
            "openai.response.service_tier": "default",
            "openai.response.system_fingerprint": "fp_fake",
        }
        return {**asked, **answered}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}}
