"""The mistralai client under the contract: chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mistralai.client import Mistral
from mistralai.client.types import UNSET
from mistralai.client.utils import BackoffStrategy, RetryConfig

from otel_agentops.clients.mistralai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import SCHEMA, Asked, Beside, Subject

PARAMS = {"temperature": 0.2, "max_tokens": 64}


class Bound:
    """A client as one kind: the SDK has both in one object, and a method of each name for both."""

    def __init__(self, kind: str, sdk: Any) -> None:
        self.kind = kind
        self.sdk = sdk

    def call(self, path: str, **options: Any) -> Any:
        """`chat.complete` of the SDK, or `chat.complete_async`."""
        owner, _, name = path.rpartition(".")
        found = self.sdk
        for part in owner.split("."):
            found = getattr(found, part)
        return getattr(found, name if self.kind == "sync" else f"{name}_async")(**options)

    def close(self) -> Any:
        """Close the connections of this kind."""
        return self.sdk.__exit__(None, None, None) if self.kind == "sync" else self.sdk.__aexit__(None, None, None)


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
        return self.chat(client, asked, response_format=form(asked.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.call("embeddings.create", model="m-x", inputs=list(texts))

    def one_shot(self, client: Any, asked: Asked) -> Any:
        return client.call("chat.complete", model=asked.model, messages=iter(asked.turns()), **asked.sampling())

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, tools=UNSET, random_seed=UNSET, metadata=UNSET)

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {}
        return {**PARAMS, "response_format": form(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        unsaid = {"gen_ai.usage.reasoning.output_tokens": None}
        return unsaid if way == "failed" else {**unsaid, "gen_ai.response.id": "chatcmpl-fake"}


def form(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}}
