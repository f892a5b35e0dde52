"""The openrouter client under the contract: chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openrouter import OpenRouter
from openrouter.types import UNSET
from openrouter.utils import BackoffStrategy, RetryConfig
from speakeasy import Bound

from otel_agentops.clients.openrouter import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.openrouter_wire import COST
from otel_agentops.testing.subject import ChatRequest, Subject


class OpenrouterSubject(Subject):
    name = "openrouter"
    instrumentor = Instrumentor
    provider = "openrouter"
    sampling = (*Subject.sampling, "top_k")
    missing = {"raw": "the SDK has no raw responses"}

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        """The SDK tries again until a time has passed, by itself a 5xx for an hour; there is no number of attempts."""
        backoff = BackoffStrategy(1, 1, 1.0, 60_000)
        config = RetryConfig("backoff" if retries else "none", backoff, False, ["429"])
        url = f"{provider.url}/api/v1"
        sdk = OpenRouter(api_key="k", server_url=url, timeout_ms=int(timeout * 1000), retry_config=config)
        return Bound(kind, sdk)

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        offered = {"tools": request.functions()} if request.tools else {}
        return client.call(
            "chat.send", model=request.model, messages=request.turns(), **request.sampling(), **offered, **more
        )

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, stream=True)

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=self.format(request.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.call("embeddings.generate", model="m-x", input=list(texts))

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        return client.call("chat.send", model=request.model, messages=iter(request.turns()), **request.sampling())

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, top_p=UNSET, seed=UNSET, stop=UNSET)

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "failed":
            return {}
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1, "otel_agentops.cost": COST}
        found = {"gen_ai.response.id": "chatcmpl-fake"}
        return found if way in ("begun", "broken") else {**found, "otel_agentops.cost": COST}
