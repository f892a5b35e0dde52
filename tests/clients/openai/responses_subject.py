"""The openai client under the contract once more: its responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai
from openai_subject import OpenaiSubject

from otel_agentops.testing.subject import SCHEMA, Asked

PARAMS = {"temperature": 0.2, "max_output_tokens": 64}
ECHOED = {"otel_agentops.param.top_p.source": "echoed"}


class ResponsesSubject(OpenaiSubject):
    params = PARAMS
    missing = {
        "embed": "embeddings are another endpoint",
        "one_shot": "the SDK takes lists alone for the input of a response",
    }

    def arguments(self, asked: Asked) -> dict[str, Any]:
        """What `create` is called with."""
        offered = {"tools": [{"type": "function", **tool} for tool in asked.tools]} if asked.tools else {}
        given = {"temperature": asked.temperature, "max_output_tokens": asked.max_tokens}
        return {"model": asked.model, "instructions": asked.system, "input": asked.user, **given, **offered}

    def chat(self, client: Any, asked: Asked, **more: Any) -> Any:
        return client.responses.create(**{**self.arguments(asked), **more})

    def stream(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, stream=True)

    def raw(self, client: Any, asked: Asked) -> Any:
        return client.responses.with_raw_response.create(**self.arguments(asked))

    def structured(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, text=_format(asked.schema))

    def unset(self, client: Any, asked: Asked) -> Any:
        return self.chat(client, asked, tools=openai.omit, top_p=openai.not_given, reasoning=openai.omit)

    def parameters(self, way: str) -> Mapping[str, Any]:
        return {**PARAMS, "text": _format(SCHEMA)} if way == "structured" else PARAMS

    def differs(self, way: str) -> Mapping[str, Any]:
        asked = {"openai.api.type": "responses"}
        if way == "failed":
            return asked
        return {**asked, **ECHOED, "gen_ai.response.id": "resp_fake", "openai.response.service_tier": "default"}


def _format(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "name": "order", "schema": schema, "strict": True}}
