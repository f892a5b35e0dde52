"""The ibm-watsonx-ai client on a provider on loopback."""

from __future__ import annotations

from typing import Any

import httpx
from ibm_watsonx_ai import APIClient, Credentials
from ibm_watsonx_ai._wrappers.httpx.client.httpx_async_client import HTTPXAsyncClient
from ibm_watsonx_ai._wrappers.httpx.client.httpx_client import HTTPXClient
from ibm_watsonx_ai._wrappers.httpx.retry_transport import AsyncRetryTransport, RetryTransport
from ibm_watsonx_ai._wrappers.httpx.retry_transport.factories import TRANSPORT_STATUS_FORCELIST
from ibm_watsonx_ai.foundation_models import Embeddings, ModelInference

from otel_agentops.testing.fake_provider import FakeProvider


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

    def __init__(self, kind: str, provider: FakeProvider, host: str, retries: int, timeout: float) -> None:
        self.kind = kind
        self.retries = retries
        self.sync = HTTPXClient(transport=Loopback(provider, retries), timeout=timeout)
        self.aio = HTTPXAsyncClient(transport=AsyncLoopback(provider, retries), timeout=timeout)
        credentials = Credentials(url=f"https://{host}", token="t")
        self.api = APIClient(credentials, project_id="p1", httpx_client=self.sync, async_httpx_client=self.aio)

    def model(self, **which: Any) -> ModelInference:
        options = {"api_client": self.api, "validate": False, "max_retries": self.retries, "delay_time": 0.001}
        return ModelInference(**which, **options)

    def embeddings(self, model: str) -> Embeddings:
        return Embeddings(model_id=model, api_client=self.api, max_retries=self.retries)

    def close(self) -> Any:
        self.sync.close()
        return self.aio.aclose()
