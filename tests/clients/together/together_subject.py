"""The together client under the contract: chat completions and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import together

from otel_agentops.clients.together import Instrumentor
from otel_agentops.testing.openai_shaped import OpenAIShaped
from otel_agentops.testing.subject import Beside


class TogetherSubject(OpenAIShaped):
    name = "together"
    instrumentor = Instrumentor
    provider = "together_ai"
    sampling = (*OpenAIShaped.sampling, "top_k")
    classes = {"sync": together.Together, "async": together.AsyncTogether}
    path = "/together"
    omit = (together.omit, together.not_given)
    # OpenLLMetry's cannot be imported beside together 2 or 3: it needs a module of together 1.
    peers = {"OpenInference": "openinference.instrumentation.together:TogetherInstrumentor"}

    beside = (Beside("OpenInference", ".* embed", 1, True, True, "it does not observe embeddings"),)

    def counting(self) -> Mapping[str, Any]:
        return {"extra_body": {"stream_options": {"include_usage": True}}}

    def differs(self, way: str) -> Mapping[str, Any]:
        return {} if way == "embed" else super().differs(way)
