"""The cohere client under the contract: `ClientV2`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import cohere
from cohere.core.http_client import HttpClient

from otel_agentops.clients.cohere import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import MODEL, SCHEMA, Beside, ChatRequest, Subject

# From where the client counts attempts: 2 in version 5, so that a `max_retries` of 3 is one more.
COUNTED = inspect.signature(HttpClient.request).parameters["retries"].default


class CohereSubject(Subject):
    name = "cohere"
    instrumentor = Instrumentor
    provider = "cohere"
    sampling = ("temperature", "p", "k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences")
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.cohere:CohereInstrumentor",
        "OpenInference": "openinference.instrumentation.cohere:CohereInstrumentor",
    }

    beside = (
        Beside("OpenLLMetry", ".*", 1, ours=True, answer=True, why="it supports cohere below 6 and installs nothing"),
    )

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": cohere.ClientV2, "async": cohere.AsyncClientV2}[kind]
        client = made(api_key="k", base_url=provider.url, timeout=timeout)
        client.retries = COUNTED + retries  # in all versions an option of the call
        return client

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        return client.chat(**_request(request), request_options={"max_retries": client.retries}, **more)

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return client.chat_stream(**_request(request))

    def chat_raw(self, client: Any, request: ChatRequest) -> Any:
        return client.with_raw_response.chat(**_request(request))

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, response_format=_format(request.schema))

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        return client.embed(model=MODEL, texts=list(texts), input_type="search_query", embedding_types=["float"])

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        return client.chat(**{**_request(request), "messages": iter(request.turns())})

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        omitted: Any = ...
        return self.chat(client, request, tools=omitted, p=omitted, seed=omitted)

    def parameters(self, way: str) -> Mapping[str, Any]:
        if way == "embed":
            return {"input_type": "search_query", "embedding_types": ["float"]}
        return {**self.params, "response_format": _format(SCHEMA)} if way == "structured" else self.params

    def differs(self, way: str) -> Mapping[str, Any]:
        unnamed = {"gen_ai.response.model": None, "otel_agentops.model.resolution": "unreported"}
        if way == "failed":
            return {}
        if way == "embed":
            counted = {"gen_ai.request.encoding_formats": ["float"], "gen_ai.usage.input_tokens": 1}
            return {**unnamed, **counted, "gen_ai.response.id": "fake"}
        found = {**unnamed, "gen_ai.response.id": "fake", "gen_ai.usage.reasoning.output_tokens": None}
        if way in ("begun", "broken"):
            return found
        return {**found, "gen_ai.response.finish_reasons": ["TOOL_CALL" if way == "tools" else "COMPLETE"]}


def _request(request: ChatRequest) -> dict[str, Any]:
    offered = {"tools": request.functions()} if request.tools else {}
    return {"model": request.model, "messages": request.turns(), **request.sampling(), **offered}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "json_object", "json_schema": schema}
