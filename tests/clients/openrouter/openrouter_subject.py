"""The openrouter client under the contract: chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openrouter import OpenRouter
from openrouter.types import UNSET
from openrouter.utils import BackoffStrategy, RetryConfig

from otel_agentops.clients.openrouter import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.openrouter_wire import COST
from otel_agentops.testing.subject import SCHEMA, Asked, Subject

PARAMS = {"temperature": 0.2, "max_tokens": 64}


class Bound:
    """A client as one kind: the SDK has both in one object, and a method of each name for both."""

    def __init__(self, kind: str, sdk: Any) -> None:
        self.kind = kind
        self.sdk = sdk

    def call(self, owner: str, name: str, **options: Any) -> Any:
        """`chat.send` of the SDK, or `chat.send_async`."""
        found = self.sdk
        for part in owner.split("."):
            found = getattr(found, part)
        return getattr(found, name if self.kind == "sync" else f"{name}_async")(**options)

    def close(self) -> Any:
        """Close the connections of this kind."""
        return self.sdk.__exit__(None, None, None) if self.kind == "sync" else self.sdk.__aexit__(None, None, None)


class OpenrouterSubject(Subject):
    name = "openrouter"
    instrumentor = Instrumentor
    provider = "openrouter"
    missing = {"raw": "the SDK has no raw responses"}

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        """The SDK tries again until a time has passed, by itself a 5xx for an hour; there is no number of attempts."""
        backoff = BackoffStrategy(1, 1, 1.0, 60_000)
        config = RetryConfig("backoff" if retries else "none", backoff, False, ["429"])
        url = f"{provider.url}/api/v1"
        sdk = OpenRouter(api_key="k", server_url=url, timeout_ms=int(timeout * 1000), retry_config=config)
        return Bound(kind, sdk)

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        offered = {"tools": asked.functions()} if asked.tools else {}
        return client.call(
            "chat", "send", model=asked.model, messages=asked.turns(), **asked.sampling(), **offered, **more
        )

    def stream(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, stream=True)

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, response_format=form(asked.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.call("embeddings", "generate", model="m-x", input=list(texts))

    def one_shot(self, client: Any, asked: Asked) -> Any:
        return client.call("chat", "send", model=asked.model, messages=iter(asked.turns()), **asked.sampling())

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, top_p=UNSET, seed=UNSET, stop=UNSET)

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {}
        return {**PARAMS, "response_format": form(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "failed":
            return {}
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1, "otel_agentops.cost": COST}
        found = {"gen_ai.response.id": "chatcmpl-fake"}
        return found if way in ("begun", "broken") else {**found, "otel_agentops.cost": COST}


def form(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}}
