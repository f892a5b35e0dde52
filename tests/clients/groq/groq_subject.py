"""The groq client under the contract: chat completions and embeddings."""

from __future__ import annotations

from typing import Any

import groq

from otel_agentops.clients.groq import Instrumentor
from otel_agentops.testing.openai_shaped import OpenAIShaped
from otel_agentops.testing.subject import Beside


class GroqSubject(OpenAIShaped):
    name = "groq"
    instrumentor = Instrumentor
    provider = "groq"
    classes = {"sync": groq.Groq, "async": groq.AsyncGroq}
    path = "/groq"
    omit = (groq.NOT_GIVEN,)  # the one sentinel that all versions export
    peers = {
        "OpenLLMetry": "opentelemetry.instrumentation.groq:GroqInstrumentor",
        "OpenInference": "openinference.instrumentation.groq:GroqInstrumentor",
    }

    beside = (
        Beside("OpenLLMetry", ".* embed", 1, True, True, "it does not observe embeddings"),
        Beside("OpenInference", ".* embed", 1, True, True, "it does not observe embeddings"),
        Beside("OpenInference", ".* stream", 1, False, False, "it ends the span of a stream before it is read"),
    )

    def counting(self) -> dict[str, Any]:
        return {}  # the last chunk has it
