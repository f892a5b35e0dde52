"""Google's client under the contract: Gemini's own API."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from google import genai
from google.genai import _api_client, types

from otel_agentops.clients.google_genai import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import SCHEMA, Asked, Beside, Subject

PARAMS = {"temperature": 0.2, "maxOutputTokens": 64}
RAW = "should_return_http_response" in types.GenerateContentConfig.model_fields
COUNTED = "usage_metadata" in types.EmbedContentResponse.model_fields
TRIES = not _api_client.has_aiohttp or (
    "implicit_retry" in inspect.signature(_api_client.BaseApiClient._async_request_once).parameters
)
ERRORS_IN_STREAMS = "raise_error" in inspect.getsource(_api_client.BaseApiClient.request_streamed)
http: Any = getattr(_api_client, "httpx2", None) or _api_client.httpx  # httpx2 since 3
TLS = ssl.create_default_context()  # made once: a client spends 0.3 s on three of them


class GoogleGenaiSubject(Subject):
    name = "google_genai"
    instrumentor = Instrumentor
    provider = "gcp.gemini"
    operation = "generate_content"
    params = PARAMS
    missing = {
        "one_shot": "the client reads lists, not iterators",
        "unset": "the client has no sentinel: what is None is not given",
        **({} if RAW else {"raw": "this version has no raw responses"}),
        **({} if TRIES else dict.fromkeys(("cut", "timeout"), "this version tries again by itself, seconds later")),
    }
    peers = {
        "official": "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
        "OpenLLMetry": "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
        "OpenInference": "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
    }
    beside = (
        Beside("official", ".*", 1, True, True, "it refuses google-genai 3; made to, there is one span too"),
        Beside("OpenLLMetry", ".* embed", 1, True, True, "it does not observe embeddings"),
    )

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        client = genai.Client(api_key="k", http_options=self.options(provider, retries=retries, timeout=timeout))
        return client if kind == "sync" else client.aio

    def options(self, provider: FakeProvider, **given: Any) -> types.HttpOptions:
        return options(provider, **given)

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        return client.models.generate_content(model=asked.model, contents=asked.user, config=config(asked, **more))

    def stream(self, client: Any, asked: Asked) -> Any:
        return client.models.generate_content_stream(model=asked.model, contents=asked.user, config=config(asked))

    def raw(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, should_return_http_response=True)

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(
            client, asked, response_mime_type="application/json", response_json_schema=dict(asked.schema or {})
        )

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.models.embed_content(model="m-x", contents=list(texts))

    def close(self, client: Any) -> Any:
        close = getattr(client, "aclose", None) or getattr(client, "close", None)  # neither before 1.40
        return close() if close else None

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {}
        bound = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
        return {**PARAMS, **bound} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "failed":
            return {}
        if way == "embed":
            unknown = {"gen_ai.response.model": None, "otel_agentops.model.resolution": "unreported"}
            return {**unknown, "gen_ai.usage.input_tokens": 1 if COUNTED else None}
        answered: dict[str, Any] = {"gen_ai.response.id": "fake"}
        if way in ("begun", "broken"):
            return {**answered, "gen_ai.usage.input_tokens": 11}
        return {**answered, "gen_ai.response.finish_reasons": ["STOP"]}


def options(provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0, **more: Any) -> types.HttpOptions:
    """Where the provider is, and how often it is tried; with nothing said aiohttp's session tries by itself."""
    tries = types.HttpRetryOptions(attempts=retries + 1, initial_delay=0.01, max_delay=0.02)
    tls = {"client_args": {"verify": TLS}, "async_client_args": {"ssl": TLS}}
    return types.HttpOptions(base_url=provider.url, timeout=int(timeout * 1000), retry_options=tries, **{**tls, **more})


def config(asked: Asked, **more: Any) -> types.GenerateContentConfig:
    """The settings of a call."""
    functions = [
        types.FunctionDeclaration(
            name=each["name"], description=each["description"], parameters_json_schema=each["parameters"]
        )
        for each in asked.tools
    ]
    offered = [types.Tool(function_declarations=functions)] if functions else None
    return types.GenerateContentConfig(
        system_instruction=asked.system,
        temperature=asked.temperature,
        max_output_tokens=asked.max_tokens,
        tools=offered,  # type: ignore[arg-type]
        **more,
    )


class HttpxSubject(GoogleGenaiSubject):
    """The async client over httpx, which it uses where aiohttp is not installed or a transport is given."""

    name = "google_genai over httpx"
    kinds = ("async",)
    missing = {name: why for name, why in GoogleGenaiSubject.missing.items() if name not in ("cut", "timeout")}

    def options(self, provider: FakeProvider, **given: Any) -> types.HttpOptions:
        return options(provider, **given, async_client_args={"transport": http.AsyncHTTPTransport(verify=TLS)})
