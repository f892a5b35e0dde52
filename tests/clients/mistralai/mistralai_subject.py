"""The mistralai client under the contract: chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mistralai.client import Mistral
from mistralai.client.types import UNSET
from mistralai.client.utils import BackoffStrategy, RetryConfig
from speakeasy import Bound

from otel_agentops.clients.mistralai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import Beside, ChatRequest, Subject


def retrying(retries: int) -> RetryConfig | None:
    """The SDK tries again until a time has passed; there is no number of attempts."""
    return RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), False) if retries else None


class MistralaiSubject(Subject):
    name = "mistralai"
    instrumentor = Instrumentor
    provider = "mistral_ai"
    sampling = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "random_seed", "stop", "top_k")
    missing = {"raw": "the SDK has no raw responses"}
    peers = {"OpenInference": "openinference.instrumentation.mistralai:MistralAIInstrumentor"}
    beside = (Beside("OpenInference", ".* embed", 1, True, True, "it does not observe embeddings"),)

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        options: dict[str, Any] = {"retry_config": retrying(retries)} if retries else {}
        url = f"{provider.url}/mistral"
        return Bound(kind, Mistral(api_key="k", server_url=url, timeout_ms=int(timeout * 1000), **options))

    def chat(self, client: Any, request: ChatRequest, method: str = "chat.complete", **more: Any) -> Any:
        offered = {"tools": request.functions()} if request.tools else {}
        return client.call(
            method, model=request.model, messages=request.turns(), **request.sampling(), **offered, **more
        )

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, "chat.stream")

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=self.format(request.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.call("embeddings.create", model="m-x", inputs=list(texts))

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        return client.call("chat.complete", model=request.model, messages=iter(request.turns()), **request.sampling())

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, tools=UNSET, random_seed=UNSET, metadata=UNSET)

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        unsaid = {"gen_ai.usage.reasoning.output_tokens": None}
        return unsaid if way == "failed" else {**unsaid, "gen_ai.response.id": "chatcmpl-fake"}
