"""The InferenceClient of huggingface_hub under the contract, on a server of the application's own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import huggingface_hub

from otel_agentops.clients.huggingface_hub import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import ChatRequest, Subject


class HuggingfaceHubSubject(Subject):
    name = "huggingface_hub"
    instrumentor = Instrumentor
    provider = "huggingface"
    missing = {
        "raw": "the SDK has no raw responses",
        "retries": "the SDK never tries an inference again",
        "one_shot": "the SDK hands the turns to the HTTP client as they are, which cannot encode an iterator",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": huggingface_hub.InferenceClient, "async": huggingface_hub.AsyncInferenceClient}[kind]
        return made(base_url=f"{provider.url}/v1", api_key="k", timeout=timeout)

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        offered = {"tools": request.functions()} if request.tools else {}
        return client.chat.completions.create(
            model=request.model, messages=request.turns(), **request.sampling(), **offered, **more
        )

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, stream=True, stream_options={"include_usage": True})

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=super().format(request.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        url = client.model.removesuffix("/v1") + "/hf-inference/models/m-x/pipeline/feature-extraction"
        return client.feature_extraction(texts[0], model=url)

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, top_p=None, seed=None, tools=None, response_format=None)

    def close(self, client: Any) -> Any:
        with contextlib.suppress(AttributeError):
            return client.close()

    def format(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"type": "json_object", "value": schema}  # what the SDK makes of it for a server

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":  # a server of one model: neither the request nor the answer names it
            unnamed = {"gen_ai.request.model": None, "gen_ai.response.model": None}
            return {**unnamed, "otel_agentops.model.resolution": "unreported"}
        return {} if way == "failed" else {"gen_ai.response.id": "chatcmpl-fake"}
