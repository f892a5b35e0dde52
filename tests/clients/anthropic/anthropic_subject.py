"""The anthropic client under the contract: its messages, without the tracing of its own (test_anthropic_native.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anthropic
from expected_claude import UNTRACED

from otel_agentops.clients.anthropic import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import SCHEMA, ChatRequest, Subject

STARTED = {"gen_ai.usage.cache_creation.input_tokens": 0, "gen_ai.usage.cache_read.input_tokens": 4}


class AnthropicSubject(Subject):
    name = "anthropic"
    instrumentor = Instrumentor
    provider = "anthropic"
    sampling = ("temperature", "top_p", "top_k", "stop_sequences")
    missing = {"embed": "the SDK has no embeddings"}
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
        "OpenInference": "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    }

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        made: Any = {"sync": anthropic.Anthropic, "async": anthropic.AsyncAnthropic}[kind]
        url = provider.anthropic_url
        return made(api_key="k", base_url=url, max_retries=retries, timeout=timeout, **UNTRACED)

    def arguments(self, request: ChatRequest, **body: Any) -> dict[str, Any]:
        """What `create` is called with; since anthropic 1 it has no option `temperature`."""
        sampling = request.sampling()
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        return {
            "model": request.model,
            "system": request.system,
            "messages": [{"role": "user", "content": request.user}],
            "max_tokens": sampling.pop("max_tokens"),
            "extra_body": {**sampling, **body},
        }

    def chat(self, client: Any, request: ChatRequest) -> Any:
        return client.messages.create(**self.arguments(request))

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return client.messages.create(**self.arguments(request), stream=True)

    def chat_raw(self, client: Any, request: ChatRequest) -> Any:
        return client.messages.with_raw_response.create(**self.arguments(request))

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return client.messages.create(**self.arguments(request, output_config=_format(request.schema)))

    def chat_one_shot(self, client: Any, request: ChatRequest) -> Any:
        arguments = self.arguments(request)
        return client.messages.create(**{**arguments, "messages": iter(arguments["messages"])})

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        unset = {"tools": anthropic.omit, "stop_sequences": anthropic.not_given, "metadata": anthropic.omit}
        return client.messages.create(**self.arguments(request), **unset)

    def parameters(self, way: str) -> Mapping[str, Any]:
        return {**self.params, "output_config": _format(SCHEMA)} if way == "structured" else self.params

    def differs(self, way: str) -> Mapping[str, Any]:
        if way == "failed":
            return {}
        if way in ("begun", "broken"):  # the first event of a stream has counted the input
            return {"gen_ai.response.id": "msg_fake", "gen_ai.usage.input_tokens": 11, **STARTED}
        return {
            "gen_ai.response.id": "msg_fake",
            "gen_ai.response.finish_reasons": ["tool_use" if way == "tools" else "end_turn"],
            "gen_ai.usage.reasoning.output_tokens": None,  # said of thinking alone
            **STARTED,
        }


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": schema}}
