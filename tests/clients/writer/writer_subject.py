"""The writer client under the contract: its chat."""

from __future__ import annotations

from typing import Any

import writerai

from otel_agentops.clients.writer import Instrumentor
from otel_agentops.testing.openai_shaped import OpenAIShaped
from otel_agentops.testing.subject import Beside


class WriterSubject(OpenAIShaped):
    name = "writer"
    instrumentor = Instrumentor
    provider = "writer"
    sampling = ("temperature", "top_p", "stop")
    classes = {"sync": writerai.Writer, "async": writerai.AsyncWriter}
    path = "/writer"
    omit = (writerai.NOT_GIVEN,)  # the one sentinel that all versions export
    missing = {"embed": "the SDK has no embeddings"}
    peers = {"OpenLLMetry": "opentelemetry.instrumentation.writer:WriterInstrumentor"}

    beside = (Beside("OpenLLMetry", ".*", 1, True, True, "it supports writer-sdk below 3 and installs nothing"),)

    def method(self, client: Any) -> Any:
        return client.chat.chat

    def raw_method(self, client: Any) -> Any:
        return client.chat.with_raw_response.chat
