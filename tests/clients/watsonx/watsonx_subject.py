"""The ibm-watsonx-ai client under the contract: chats, and completions beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai._wrappers.httpx.client.httpx_async_client import HTTPXAsyncClient
from ibm_watsonx_ai._wrappers.httpx.client.httpx_client import HTTPXClient
from ibm_watsonx_ai._wrappers.httpx.retry_transport import AsyncRetryTransport, RetryTransport
from ibm_watsonx_ai._wrappers.httpx.retry_transport.factories import TRANSPORT_STATUS_FORCELIST
from ibm_watsonx_ai.foundation_models import Embeddings, ModelInference

from otel_agentops.clients.watsonx import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import SCHEMA, Asked, Subject

HOST = "us-south.ml.cloud.ibm.com"
PARAMS = {"temperature": 0.2, "max_tokens": 64}
FAILED = "ibm_watsonx_ai.wml_client_error.ApiRequestFailure"


def _elsewhere(request: httpx.Request, provider: FakeProvider) -> httpx.Request | httpx.Response:
    """What the client asks about its account is answered here, what it asks a model at the provider."""
    if not request.url.path.startswith("/ml/v1/"):
        return httpx.Response(200, json={"entity": {"storage": {"type": "bmcos_object_storage"}}}, request=request)
    request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=int(provider.url.rpartition(":")[2]))
    return request


class Loopback(RetryTransport):
    """The SDK's own transport, to a provider on loopback: the client insists on https and on its cloud."""

    def __init__(self, provider: FakeProvider, retries: int) -> None:
        super().__init__(retries, 0.001, TRANSPORT_STATUS_FORCELIST, True, False)
        self.provider = provider

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        found = _elsewhere(request, self.provider)
        return found if isinstance(found, httpx.Response) else super().handle_request(found)


class AsyncLoopback(AsyncRetryTransport):
    def __init__(self, provider: FakeProvider, retries: int) -> None:
        super().__init__(retries, 0.001, TRANSPORT_STATUS_FORCELIST, True, False)
        self.provider = provider

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        found = _elsewhere(request, self.provider)
        return found if isinstance(found, httpx.Response) else await super().handle_async_request(found)


class Watsonx:
    """What an application has: a client object, and a model object of it for each model."""

    def __init__(self, kind: str, provider: FakeProvider, retries: int, timeout: float) -> None:
        self.kind = kind
        self.retries = retries
        self.sync = HTTPXClient(transport=Loopback(provider, retries), timeout=timeout)
        self.aio = HTTPXAsyncClient(transport=AsyncLoopback(provider, retries), timeout=timeout)
        credentials = Credentials(url=f"https://{HOST}", token="t")
        self.api = APIClient(credentials, project_id="p1", httpx_client=self.sync, async_httpx_client=self.aio)

    def model(self, **which: Any) -> ModelInference:
        options = {"api_client": self.api, "validate": False, "max_retries": self.retries, "delay_time": 0.001}
        return ModelInference(**which, **options)

    def embeddings(self, model: str) -> Embeddings:
        return Embeddings(model_id=model, api_client=self.api, max_retries=self.retries)

    def close(self) -> Any:
        self.sync.close()
        return self.aio.aclose()


class WatsonxSubject(Subject):
    name = "watsonx"
    instrumentor = Instrumentor
    provider = "ibm.watsonx.ai"
    peers = {"OpenLLMetry": "opentelemetry.instrumentation.watsonx:WatsonxInstrumentor"}
    missing = {
        "raw": "what the SDK hands out is the JSON itself",
        "one_shot": "the SDK writes the messages as JSON itself, which takes lists alone",
        "unset": "None is the only sentinel, and what is None is not sent",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        return Watsonx(kind, provider, retries, timeout)

    def server(self, provider: FakeProvider) -> dict[str, Any]:
        return {"server.address": HOST, "server.port": 443}

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        return self._called(client, asked, ("chat", "achat"), more)

    def stream(self, client: Any, asked: Asked) -> Any:
        return self._called(client, asked, ("chat_stream", "achat_stream"), {})

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, response_format=_format(asked.schema))

    def _called(self, client: Any, asked: Asked, names: tuple[str, str], more: dict[str, Any]) -> Any:
        method = getattr(client.model(model_id=asked.model), names[client.kind == "async"])
        params = {**asked.sampling(), **more}
        return method(messages=asked.turns(), params=params, tools=asked.functions() or None)

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        model = client.embeddings("m-x")
        return (model.agenerate if client.kind == "async" else model.generate)(list(texts))

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {}
        return {**PARAMS, "response_format": _format(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"gen_ai.usage.input_tokens": 1}
        return {} if way == "failed" else {"gen_ai.response.id": "chatcmpl-fake"}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "order", "schema": json.loads(json.dumps(schema))}}
