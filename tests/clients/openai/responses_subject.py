"""The openai client under the contract once more: its responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai
from openai_subject import OpenaiSubject

from otel_agentops.testing.subject import SCHEMA, ChatRequest

PARAMS = {"temperature": 0.2, "max_output_tokens": 64}
ECHOED = {"otel_agentops.param.top_p.source": "echoed"}


class ResponsesSubject(OpenaiSubject):
    params = PARAMS
    sampling = ("temperature", "top_p")
    missing = {
        "embed": "embeddings are another endpoint",
        "one_shot": "the SDK takes lists alone for the input of a response",
    }

    def arguments(self, request: ChatRequest) -> dict[str, Any]:
        """What `create` is called with."""
        offered = {"tools": [{"type": "function", **tool} for tool in request.tools]} if request.tools else {}
        given = {"temperature": request.temperature, "max_output_tokens": request.max_tokens}
        return {"model": request.model, "instructions": request.system, "input": request.user, **given, **offered}

    def chat(self, client: Any, request: ChatRequest, **more: Any) -> Any:
        return client.responses.create(**{**self.arguments(request), **more})

    def stream(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, stream=True)

    def chat_raw(self, client: Any, request: ChatRequest) -> Any:
        return client.responses.with_raw_response.create(**self.arguments(request))

    def chat_structured(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, text=_format(request.schema))

    def chat_unset(self, client: Any, request: ChatRequest) -> Any:
        return self.chat(client, request, tools=openai.omit, top_p=openai.not_given, reasoning=openai.omit)

    def parameters(self, way: str) -> Mapping[str, Any]:
        return {**PARAMS, "text": _format(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        asked = {"openai.api.type": "responses"}
        if way == "failed":
            return asked
        return {**asked, **ECHOED, "gen_ai.response.id": "resp_fake", "openai.response.service_tier": "default"}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "name": "order", "schema": schema, "strict": True}}
