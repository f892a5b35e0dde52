"""The openai client under the contract: chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai

from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing.openai_shaped import OpenAIShaped


class OpenaiSubject(OpenAIShaped):
    name = "openai"
    instrumentor = Instrumentor
    provider = "openai"
    classes = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}
    omit = (openai.omit, openai.not_given)
    peers = {
        "official": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "OpenLLMetry": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "OpenInference": "openinference.instrumentation.openai:OpenAIInstrumentor",
    }

    def parameters(self, way: str) -> Mapping[str, Any]:
        return {"encoding_format": "base64"} if way == "embed" else super().parameters(way)

    def differs(self, way: str) -> Mapping[str, Any]:
        found = super().differs(way)
        if way == "embed":
            unasked = {"otel_agentops.param.encoding_format.source": "unknown"}
            return {**found, **unasked, "gen_ai.request.encoding_formats": ["base64"]}
        asked = {"openai.api.type": "chat_completions"}
        if way == "failed":
            return asked
        answered = {"openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp_fake"}
        return {**found, **asked, **answered}
