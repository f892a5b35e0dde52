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
from otel_agentops.testing.subject import Asked, Beside, Subject


def retrying(retries: int) -> RetryConfig | None:
    """The SDK tries again until a time has passed; there is no number of attempts."""
    return RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 60_000), False) if retries else None


class MistralaiSubject(Subject):
    name = "mistralai"
    instrumentor = Instrumentor
    provider = "mistral_ai"
    missing = {"raw": "the SDK has no raw responses"}
    peers = {"OpenInference": "openinference.instrumentation.mistralai:MistralAIInstrumentor"}
    beside = (Beside("OpenInference", ".* embed", 1, True, True, "it does not observe embeddings"),)

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        options: dict[str, Any] = {"retry_config": retrying(retries)} if retries else {}
        url = f"{provider.url}/mistral"
        return Bound(kind, Mistral(api_key="k", server_url=url, timeout_ms=int(timeout * 1000), **options))

    def chat(self, client: Any, asked: Asked, method: str = "chat.complete", **more: Any) -> Any:
        offered = {"tools": asked.functions()} if asked.tools else {}
        return client.call(method, model=asked.model, messages=asked.turns(), **asked.sampling(), **offered, **more)

    def stream(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, "chat.stream")

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, response_format=self.format(asked.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.call("embeddings.create", model="m-x", inputs=list(texts))

    def one_shot(self, client: Any, asked: Asked) -> Any:
        return client.call("chat.complete", model=asked.model, messages=iter(asked.turns()), **asked.sampling())

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, tools=UNSET, random_seed=UNSET, metadata=UNSET)

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        unsaid = {"gen_ai.usage.reasoning.output_tokens": None}
        return unsaid if way == "failed" else {**unsaid, "gen_ai.response.id": "chatcmpl-fake"}
